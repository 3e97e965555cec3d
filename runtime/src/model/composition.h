#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

namespace tsrun::model {

/// Whether our float32 kernels take these tensors.
bool runs_on_kernel(std::initializer_list<at::Tensor> tensors);

/// Whether a gradient will be asked of something made of `tensors`; undefined ones count as constants.
bool learns(std::initializer_list<at::Tensor> tensors);

/// Gradients of `compose()` with respect to `inputs`, built so that they can be differentiated again; undefined where an input needs none.
std::vector<at::Tensor> differentiable_gradients(const std::vector<at::Tensor>& inputs, const at::Tensor& grad,
                                                 const std::function<at::Tensor()>& compose);

}  // namespace tsrun::model
