#include "lanczos.h"

#include "tsrun/base/interrupt.h"
#include "tsrun/base/operators.h"

#include <algorithm>
#include <cmath>

namespace tsrun::hessian_top {
namespace {

constexpr double nothing_new = 1e-8;  // of the largest entry of the tridiagonal matrix

at::Tensor drawn_vector(Key key, int64_t size) {
  at::Tensor vector = at::empty({size}, at::kFloat);
  fill_normal(key, {vector.data_ptr<float>(), static_cast<size_t>(size)});
  return vector.to(at::kDouble);
}

/// w less its part in the span of the first `count` rows of `basis`.
at::Tensor orthogonal_to(const at::Tensor& basis, int64_t count, at::Tensor w) {
  const at::Tensor rows = basis.slice(0, 0, count);
  for (int pass = 0; pass < 2; ++pass) w = w - rows.t().mv(rows.mv(w));
  return w;
}

at::Tensor unit(const at::Tensor& v) { return v / v.norm(); }

}  // namespace

RitzPairs lanczos(const SymmetricProduct& product, int64_t size, int64_t steps, int64_t count, Key key) {
  at::Tensor basis = at::empty({steps, size}, at::kDouble), t = at::zeros({steps, steps}, at::kDouble);
  basis[0].copy_(unit(drawn_vector(key.split(uint64_t{0}), size)));
  double last = 0;
  for (int64_t j = 0; j < steps; ++j) {
    check_interrupt();
    const at::Tensor image = product(basis[j]);
    t[j][j] = basis[j].dot(image);
    const at::Tensor rest = orthogonal_to(basis, j + 1, image);
    last = rest.norm().item<double>();
    if (j + 1 == steps) break;
    const bool exhausted = last <= nothing_new * t.abs().max().item<double>();
    const at::Tensor next = exhausted ? orthogonal_to(basis, j + 1, drawn_vector(key.split(static_cast<uint64_t>(j + 1)), size)) : rest;
    if (!exhausted) t[j][j + 1] = t[j + 1][j] = last;
    basis[j + 1].copy_(unit(next));
  }
  const auto [values, vectors] = at::linalg_eigh(t);
  RitzPairs pairs;
  const at::Tensor chosen = vectors.flip(1).slice(1, 0, std::min(count, steps));
  for (int64_t k = 0; k < chosen.size(1); ++k) {
    pairs.values.push_back(values[steps - 1 - k].item<double>());
    pairs.residuals.push_back(last * std::abs(chosen[steps - 1][k].item<double>()));
  }
  pairs.vectors = chosen.t().matmul(basis);
  return pairs;
}

}  // namespace tsrun::hessian_top
