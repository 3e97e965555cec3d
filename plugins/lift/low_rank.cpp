#include "low_rank.h"

#include "tsrun/base/operators.h"

#include <algorithm>
#include <span>

namespace tsrun::lift {
namespace {

/// Projects the columns of `matrix` onto its leading left singular vectors; for matrices that are not taller than wide.
at::Tensor projected(const at::Tensor& matrix, int64_t rank) {
  const at::Tensor exact = matrix.to(at::kDouble);
  const at::Tensor vectors = std::get<1>(at::linalg_eigh(at::mm(exact, exact.t())));  // ascending
  const at::Tensor leading = vectors.narrow(1, vectors.size(1) - rank, rank);
  return at::mm(leading, at::mm(leading.t(), exact)).to(at::kFloat);
}

at::Tensor orthonormal(const at::Tensor& columns) { return std::get<0>(at::linalg_qr(columns)); }

}  // namespace

at::Tensor low_rank(const at::Tensor& matrix, int64_t rank) {
  rank = std::min({rank, matrix.size(0), matrix.size(1)});
  return matrix.size(0) <= matrix.size(1) ? projected(matrix, rank) : projected(matrix.t(), rank).t();
}

at::Tensor randomized_low_rank(const at::Tensor& matrix, int64_t rank, int64_t iterations, Key key) {
  const int64_t side = std::min(matrix.size(0), matrix.size(1)), columns = std::min(2 * rank, side);
  at::Tensor random = at::empty({matrix.size(1), columns}, at::kFloat);
  fill_normal(key, {random.mutable_data_ptr<float>(), static_cast<size_t>(random.numel())});
  at::Tensor range = orthonormal(at::mm(matrix, random.to(matrix.device())));
  for (int64_t i = 0; i < iterations; ++i) range = orthonormal(at::mm(matrix, orthonormal(at::mm(matrix.t(), range))));
  return at::mm(range, low_rank(at::mm(range.t(), matrix), rank));
}

}  // namespace tsrun::lift
