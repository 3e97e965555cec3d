#include "model/product.h"

#include "tsrun/model/gradients_in_place.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/mm.h>
#include <torch/csrc/autograd/custom_function.h>

namespace tsrun::model {
namespace {

at::Tensor plain_product(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias, bool transposed) {
  if (!transposed) return at::linear(x, weight, bias);
  return bias ? at::addmm(*bias, x, weight) : at::matmul(x, weight);
}

/// ATen's CPU products of bfloat16 are bfloat16; widening them takes a second pass, 3 % of the product on 2048 tokens.
at::Tensor rounded_product(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias, bool transposed) {
  const at::Tensor y = plain_product(x, weight.to(x.scalar_type()), {}, transposed).to(weight.scalar_type());
  return bias ? y.add_(*bias) : y;
}

/// left right, the gradient of `weight`. Undefined: added to the leaf's.
at::Tensor weight_gradient(const at::Tensor& weight, const at::Tensor& left, const at::Tensor& right) {
  at::Tensor gradient = AddsGradientsInPlace::now() ? gradient_in_place(weight) : at::Tensor();
  if (!gradient.defined()) return at::mm(left, right).to(weight.scalar_type());
  if (left.scalar_type() == gradient.scalar_type())
    gradient.addmm_(left, right);
  else
    gradient.add_(at::mm(left, right));
  return {};
}

/// `x` is an operand of the precision: a cast before it is a separate autograd op, so saved tensors stay connected to the float32 input.
/// Backward is made of differentiable operations on them, hence differentiable itself.
struct ProductFunction : torch::autograd::Function<ProductFunction> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const std::optional<at::Tensor>& bias, bool transposed) {
    const at::Tensor none;
    context->save_for_backward({weight.requires_grad() ? x : none, x.requires_grad() ? weight : none});
    context->saved_data["weight"] = weight;  // for its gradient's place alone: its values may change until then, unless x learns
    context->saved_data["type"] = x.scalar_type();
    context->saved_data["transposed"] = transposed;
    context->saved_data["bias learns"] = bias && bias->requires_grad();
    return x.scalar_type() == weight.scalar_type() ? plain_product(x, weight, bias, transposed)
                                                   : rounded_product(x, weight, bias, transposed);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, const torch::autograd::variable_list& grads) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], grad = grads[0].to(context->saved_data["type"].toScalarType());
    const bool transposed = context->saved_data["transposed"].toBool();
    at::Tensor of_x, of_weight, of_bias;
    if (weight.defined() && context->needs_input_grad(0)) {
      const at::Tensor w = weight.to(grad.scalar_type());
      of_x = at::mm(grad, transposed ? w.t() : w);
    }
    if (x.defined() && context->needs_input_grad(1)) {
      const at::Tensor leaf = context->saved_data["weight"].toTensor();
      of_weight = transposed ? weight_gradient(leaf, x.t(), grad) : weight_gradient(leaf, grad.t(), x);
    }
    if (context->saved_data["bias learns"].toBool()) of_bias = grads[0].sum(0);
    return {of_x, of_weight, of_bias, {}};
  }
};

/// What LibTorch does as well: no weight's gradient to place, other devices, and batches of matrices.
bool left_to_libtorch(const at::Tensor& x, const at::Tensor& weight) {
  return !weight.requires_grad() || !at::GradMode::is_enabled() || !weight.is_cpu() || x.dim() != 2;
}

at::Tensor to_bfloat16(const at::Tensor& x) { return x.to(at::kBFloat16); }

}  // namespace

at::Tensor operand(const at::Tensor& x, Precision precision) { return precision == Precision::bfloat16 ? to_bfloat16(x) : x; }

at::Tensor product(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias, bool transposed,
                   Precision precision) {
  if (precision == Precision::bfloat16) return ProductFunction::apply(to_bfloat16(x), weight, bias, transposed);
  if (left_to_libtorch(x, weight)) return plain_product(x, weight, bias, transposed);
  return ProductFunction::apply(x, weight, bias, transposed);
}

}  // namespace tsrun::model
