#include "geometry/blocks.h"
#include "tsrun/geometry/geometry.h"

#include <cmath>
#include <limits>

namespace tsrun {
namespace {

/// R of a QR decomposition of all rows, [min(rows, width), width].
at::Tensor triangle_of(const at::Tensor& rows, const at::Tensor& mean) {
  at::Tensor triangle;
  geometry::for_row_blocks(rows, mean, [&](const at::Tensor& block, int64_t) {
    triangle = std::get<1>(at::linalg_qr(triangle.defined() ? at::cat({triangle, block}) : block, "r"));
  });
  return triangle;
}

at::Tensor with_fixed_signs(const at::Tensor& directions) {
  const at::Tensor largest = directions.abs().argmax(1, /*keepdim=*/true);
  return directions * at::where(directions.gather(1, largest) < 0, -1.0, 1.0);
}

}  // namespace

SingularDirections singular_directions(const at::Tensor& rows, const at::Tensor& mean) {
  const auto [left, values, directions] = at::linalg_svd(triangle_of(rows, mean), /*full_matrices=*/true);
  const int64_t count = std::min(rows.size(0) - (mean.defined() ? 1 : 0), rows.size(1));
  double scale = values[0].item<double>();
  if (mean.defined()) scale = std::max(scale, std::sqrt(static_cast<double>(rows.size(0))) * mean.norm().item<double>());
  const auto extent = static_cast<double>(std::max(rows.size(0), rows.size(1)));
  return {values.narrow(0, 0, count).contiguous(), with_fixed_signs(directions).contiguous(),
          extent * std::numeric_limits<double>::epsilon() * scale};
}

Spectrum spectrum_of(const SingularDirections& found, int64_t top_k) {
  const double* values = found.values.const_data_ptr<double>();
  const int64_t count = found.values.size(0);
  Spectrum spectrum;
  double energy = 0, top = 0;
  for (int64_t i = 0; i < count; ++i) {
    if (values[i] > found.zero) ++spectrum.rank;
    energy += values[i] * values[i];
    if (i < top_k) top += values[i] * values[i];
  }
  const bool nothing = spectrum.rank == 0;
  spectrum.largest = nothing ? 0 : values[0];
  double entropy = 0;
  for (int64_t i = 0; i < count; ++i) {
    spectrum.relative.push_back(values[i] > found.zero ? values[i] / values[0] : 0);
    const double share = values[i] * values[i] / energy;
    if (share > 0) entropy -= share * std::log(share);
  }
  spectrum.top_share = nothing ? std::nan("") : top / energy;
  spectrum.effective_rank = nothing ? std::nan("") : std::exp(entropy);
  const bool deficient = spectrum.rank < count || nothing;
  spectrum.condition_number = deficient ? std::numeric_limits<double>::infinity() : values[0] / values[count - 1];
  return spectrum;
}

}  // namespace tsrun
