#pragma once

#include <ATen/core/Tensor.h>

namespace tsrun::model {

/// x gain / √(mean x² + epsilon), row by row (Zhang and Sennrich, 2019). x: [rows, width], gain: [width]. Differentiable, also twice.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& gain, double epsilon);

}  // namespace tsrun::model
