#include "projection.h"

#include "tsrun/base/operators.h"

#include <cmath>

namespace tsrun::low_rank_moments {

namespace {

/// Columns with their largest entry positive.
at::Tensor with_signs(const at::Tensor& vectors) {
  const at::Tensor largest = vectors.gather(0, vectors.abs().argmax(0, /*keepdim=*/true));
  return (vectors * largest.sign()).to(at::kFloat).contiguous();
}

}  // namespace

Side side_of(const std::string& proj_type, const at::Tensor& gradient) {
  if (proj_type == "left") return Side::left;
  if (proj_type == "right") return Side::right;
  const bool tall = gradient.size(0) >= gradient.size(1);
  return tall == (proj_type == "std") ? Side::right : Side::left;
}

at::Tensor leading_vectors(const at::Tensor& gradient, Side side, int64_t rank) {
  const at::Tensor g = gradient.to(at::kDouble);
  const bool tall = g.size(0) >= g.size(1);
  const at::Tensor rows = tall ? g.t() : g;  // the shorter side first
  const auto [values, vectors] = at::linalg_eigh(at::matmul(rows, rows.t()));
  const at::Tensor shorter = vectors.narrow(1, vectors.size(1) - rank, rank).flip(1);
  if ((side == Side::right) == tall) return with_signs(shorter);
  return with_signs(std::get<0>(at::linalg_qr(at::matmul(rows.t(), shorter))));
}

at::Tensor random_vectors(int64_t width, int64_t rank, Key key, at::Device device) {
  at::Tensor numbers = at::empty({width, rank});
  const float deviation = 1 / std::sqrt(static_cast<float>(rank));
  fill_normal(key, {numbers.mutable_data_ptr<float>(), static_cast<size_t>(numbers.numel())}, 0, 0, deviation);
  return numbers.to(device);
}

at::Tensor projected(const at::Tensor& gradient, const at::Tensor& vectors, Side side) {
  return side == Side::right ? at::matmul(gradient, vectors) : at::matmul(vectors.t(), gradient);
}

at::Tensor lifted(const at::Tensor& low, const at::Tensor& vectors, Side side) {
  return side == Side::right ? at::matmul(low, vectors.t()) : at::matmul(vectors, low);
}

}  // namespace tsrun::low_rank_moments
