#pragma once

#include <ATen/core/Tensor.h>

namespace tsrun::layer_scores {

/// Linear centred kernel alignment (Kornblith et al., 2019, equation 3 with a linear kernel) of two representations [examples, features] of
/// the same examples: from 0 to 1; 1 for equal ones up to rotation, scale and shift.
double linear_cka(const at::Tensor& x, const at::Tensor& y);

}  // namespace tsrun::layer_scores
