#include "geometry/blocks.h"
#include "tsrun/geometry/geometry.h"

#include <cmath>

namespace tsrun {
namespace {

constexpr double zero_share = 1e-12;  ///< of the largest norm: far above the rounding of float64, far below that of float32

/// Norms up to this have no direction.
double zero_norm(const at::Tensor& rows) {
  double largest = 0;
  geometry::for_row_blocks(rows, {}, [&](const at::Tensor& block, int64_t) {
    largest = std::max(largest, at::linalg_vector_norm(block, 2, 1).max().item<double>());
  });
  return zero_share * largest;
}

/// Unit rows, and zeros for rows without a direction.
at::Tensor unit_rows(const at::Tensor& block, const at::Tensor& norms, double zero) {
  return at::where(norms > zero, 1 / norms, 0.0).unsqueeze(1) * block;
}

}  // namespace

at::Tensor mean_row(const at::Tensor& rows) {
  at::Tensor sum = at::zeros({rows.size(1)}, at::kDouble);
  geometry::for_row_blocks(rows, {}, [&](const at::Tensor& block, int64_t) { sum += block.sum(0); });
  return sum / rows.size(0);
}

Cosines cosines_of(const at::Tensor& rows, const at::Tensor& mean) {
  const double zero = zero_norm(rows);
  at::Tensor sum = at::zeros({rows.size(1)}, at::kDouble);
  Cosines found;
  geometry::for_row_blocks(rows, mean, [&](const at::Tensor& block, int64_t) {
    const at::Tensor norms = at::linalg_vector_norm(block, 2, 1);
    sum += unit_rows(block, norms, zero).sum(0);
    found.mean_norm += norms.sum().item<double>();
    found.zero_rows += (norms <= zero).sum().item<int64_t>();
  });
  const auto n = static_cast<double>(rows.size(0) - found.zero_rows);
  found.mean = n < 2 ? std::nan("") : (sum.square().sum().item<double>() - n) / (n * (n - 1));
  found.mean_norm /= static_cast<double>(rows.size(0));
  return found;
}

std::vector<double> cosine_histogram(const at::Tensor& rows, const at::Tensor& mean, int64_t bins) {
  at::Tensor all = rows.to(at::kDouble);
  if (mean.defined()) all = all - mean;
  const at::Tensor norms = at::linalg_vector_norm(all, 2, 1);
  const double zero = zero_norm(rows);
  const at::Tensor unit = unit_rows(all, norms, zero).index_select(0, (norms > zero).nonzero().squeeze(1));
  std::vector<double> shares(static_cast<size_t>(bins), 0.0);
  const int64_t n = unit.size(0);
  if (n < 2) return shares;
  const at::Tensor cosines = unit.matmul(unit.t()).contiguous();
  const double* value = cosines.const_data_ptr<double>();
  const double share = 2 / (static_cast<double>(n) * static_cast<double>(n - 1));
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < i; ++j) {
      const auto bin = static_cast<int64_t>((value[i * n + j] + 1) / 2 * static_cast<double>(bins));
      shares[static_cast<size_t>(std::clamp<int64_t>(bin, 0, bins - 1))] += share;
    }
  }
  return shares;
}

}  // namespace tsrun
