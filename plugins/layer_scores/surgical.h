#pragma once

#include "tsrun/tune/selector.h"

#include <map>
#include <string>

/// Statistics of tensors' gradients, after the release of Lee et al. (arXiv 2210.11466).
namespace tsrun::layer_scores {

/// Norm of the gradient over that of the tensor; nothing can be said of a tensor of zeros, or of rounding alone: -1.
double relative_norm(const at::Tensor& gradient, const at::Tensor& value);

/// Mean of g² / (Var g + epsilon), with the variance over the first dimension; of one element there is none: -1.
double signal_to_noise(const at::Tensor& gradient, double epsilon);

}  // namespace tsrun::layer_scores
