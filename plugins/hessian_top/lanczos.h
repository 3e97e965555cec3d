#pragma once

#include "tsrun/base/random.h"

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

namespace tsrun::hessian_top {

/// Ritz pairs, the largest value first.
struct RitzPairs {
  std::vector<double> values;
  std::vector<double> residuals;  ///< |H v − λ v|, as the recurrence has it
  at::Tensor vectors;             ///< float64 [count, size], orthonormal rows
};

/// y = H v for a unit vector; float64 [size].
using SymmetricProduct = std::function<at::Tensor(const at::Tensor&)>;

/// `steps` steps of Lanczos' recurrence in float64 with full reorthogonalisation, twice a step; `count` pairs, at most `steps`. A product
/// that adds nothing new is followed by a vector drawn from `key`. Memory: steps · size · 8 bytes.
RitzPairs lanczos(const SymmetricProduct& product, int64_t size, int64_t steps, int64_t count, Key key);

}  // namespace tsrun::hessian_top
