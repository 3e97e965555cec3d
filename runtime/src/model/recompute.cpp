#include "model/recompute.h"

#include "tsrun/base/error.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

namespace tsrun::model {
namespace {

/// Arguments of backward beside tensors.
struct RecomputeCall : torch::CustomClassHolder {
  RecomputeCall(const std::vector<std::string>& n, const RecomputedPart& r) : names(n), run(r) {}

  /// `inputs` are x and then the weights, in the order of `names`.
  at::Tensor operator()(at::TensorList inputs) const {
    Weights weights;
    for (size_t i = 0; i < names.size(); ++i) weights.set(names[i], inputs[i + 1]);
    return run(inputs[0], weights);
  }

  std::vector<std::string> names;
  RecomputedPart run;
};

/// Leaves that share storage with `inputs`: differentiation ends at them.
torch::autograd::variable_list stand_ins(const torch::autograd::variable_list& inputs) {
  torch::autograd::variable_list leaves;
  for (const at::Tensor& input : inputs) leaves.push_back(input.detach().set_requires_grad(input.requires_grad()));
  return leaves;
}

struct RecomputeFunction : torch::autograd::Function<RecomputeFunction> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, at::TensorList inputs,
                            const c10::intrusive_ptr<RecomputeCall>& call) {
    context->save_for_backward(inputs.vec());
    context->saved_data["call"] = c10::IValue::make_capsule(call);
    context->set_materialize_grads(false);
    return (*call)(inputs);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, const torch::autograd::variable_list& grads) {
    if (at::GradMode::is_enabled()) internal_error("a recomputed part of a model cannot be differentiated twice; turn recomputing off");
    const auto holder = context->saved_data["call"].toCapsule();
    const auto& call = static_cast<const RecomputeCall&>(*holder);
    const torch::autograd::variable_list leaves = stand_ins(context->get_saved_variables());
    if (grads[0].defined()) differentiate(call, leaves, grads[0]);
    torch::autograd::variable_list found;
    for (const at::Tensor& leaf : leaves) found.push_back(leaf.grad());
    found.emplace_back();  // of the call
    return found;
  }

  /// Leaves gradients at `leaves`, and at the leaves that the call captured.
  static void differentiate(const RecomputeCall& call, const torch::autograd::variable_list& leaves, const at::Tensor& grad) {
    const at::AutoGradMode graph(true);
    const at::Tensor out = call(leaves);
    if (out.requires_grad()) torch::autograd::backward({out}, {grad});
  }
};

}  // namespace

at::Tensor recomputed(const at::Tensor& x, const Weights& weights, const std::vector<std::string>& names, const RecomputedPart& run) {
  std::vector<at::Tensor> inputs = {x};
  for (const std::string& name : names) inputs.push_back(weights.at(name));
  const auto call = c10::make_intrusive<RecomputeCall>(names, run);
  const bool wanted = std::any_of(inputs.begin(), inputs.end(), [](const at::Tensor& input) { return input.requires_grad(); });
  return wanted && at::GradMode::is_enabled() ? RecomputeFunction::apply(at::TensorList(inputs), call) : (*call)(inputs);
}

}  // namespace tsrun::model
