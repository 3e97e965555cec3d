#pragma once

#include "tsrun/base/random.h"

#include <ATen/core/Tensor.h>

namespace tsrun::lift {

/// Best approximation of `matrix` (float32, two dimensions) of rank `rank` in the Frobenius norm: its projection onto the leading
/// eigenvectors of the Gram matrix of its smaller side, in float64. Where singular values at the cut are equal, any of the best.
at::Tensor low_rank(const at::Tensor& matrix, int64_t rank);

/// The same approximately, by random projection (Halko, Martinsson and Tropp 2011): a range of min(2 · rank, sides) columns, improved by
/// `iterations` of the power method, in float32.
at::Tensor randomized_low_rank(const at::Tensor& matrix, int64_t rank, int64_t iterations, Key key);

}  // namespace tsrun::lift
