#include "model/composition.h"

#include "tsrun/base/operators.h"

#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>

namespace tsrun::model {

bool runs_on_kernel(std::initializer_list<at::Tensor> tensors) {
  for (const at::Tensor& tensor : tensors) {
    if (!tensor.device().is_cpu() || tensor.scalar_type() != at::kFloat) return false;
  }
  return true;
}

bool learns(std::initializer_list<at::Tensor> tensors) {
  if (!c10::GradMode::is_enabled()) return false;
  return std::any_of(tensors.begin(), tensors.end(), [](const at::Tensor& tensor) { return tensor.defined() && tensor.requires_grad(); });
}

std::vector<at::Tensor> differentiable_gradients(const std::vector<at::Tensor>& inputs, const at::Tensor& grad,
                                                 const std::function<at::Tensor()>& compose) {
  torch::autograd::variable_list wanted;
  for (const at::Tensor& input : inputs) {
    if (input.requires_grad()) wanted.push_back(input);
  }
  const auto found =
      torch::autograd::grad({compose()}, wanted, {grad}, /*retain_graph=*/true, /*create_graph=*/true, /*allow_unused=*/true);
  std::vector<at::Tensor> all(inputs.size());
  for (size_t i = 0, next = 0; i < inputs.size(); ++i) {
    if (inputs[i].requires_grad()) all[i] = found[next++];
  }
  return all;
}

}  // namespace tsrun::model
