#include "geometry/blocks.h"
#include "tsrun/geometry/geometry.h"

#include <cmath>
#include <limits>

namespace tsrun {

Isotropy isotropy_of(const at::Tensor& rows, const at::Tensor& mean, const at::Tensor& directions) {
  const int64_t count = directions.size(0);
  at::Tensor log_z = at::full({2, count}, -std::numeric_limits<double>::infinity(), at::kDouble);  // of v, of −v
  geometry::for_row_blocks(rows, mean, [&](const at::Tensor& block, int64_t) {
    const at::Tensor along = block.matmul(directions.t());
    log_z = at::logaddexp(log_z, at::stack({along.logsumexp(0), (-along).logsumexp(0)}));
  });
  const double largest = log_z.max().item<double>(), least = log_z.min().item<double>();
  const at::Tensor z = (log_z - largest).exp();
  const double average = z.mean().item<double>();
  return {std::exp(least - largest), least - largest, std::sqrt((z - average).square().mean().item<double>()) / average};
}

RowGeometry row_geometry(const at::Tensor& rows, const at::Tensor& mean, const SingularDirections& found, int64_t top_k) {
  return {cosines_of(rows, mean), spectrum_of(found, top_k), isotropy_of(rows, mean, found.directions)};
}

}  // namespace tsrun
