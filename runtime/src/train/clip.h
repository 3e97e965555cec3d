#pragma once

#include <ATen/core/Tensor.h>

namespace tsrun::training {

/// Sum of the squares of a contiguous float32 tensor, in float64; on the CPU without a copy, and the same for any number of threads.
double squared_norm(const at::Tensor& tensor);

}  // namespace tsrun::training
