#include "model/product.h"

#include <ATen/ops/addmm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/mm.h>
#include <torch/csrc/autograd/custom_function.h>

namespace tsrun::model {
namespace {

at::Tensor float32_product(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias, bool transposed) {
  if (!transposed) return at::linear(x, weight, bias);
  return bias ? at::addmm(*bias, x, weight) : at::matmul(x, weight);
}

at::Tensor to_bfloat16(const at::Tensor& x) { return x.to(at::kBFloat16); }

/// `x` must already be bfloat16. The cast is a separate autograd op, so saved tensors stay connected to the float32 input. Backward is made
/// of differentiable operations on them, hence differentiable itself. ATen's CPU products of bfloat16 are bfloat16; widening them takes a
/// second pass, 3 % of the product on 2048 tokens.
struct Bfloat16Product : torch::autograd::Function<Bfloat16Product> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const std::optional<at::Tensor>& bias, bool transposed) {
    const at::Tensor none;
    context->save_for_backward({weight.requires_grad() ? x : none, x.requires_grad() ? weight : none});
    context->saved_data["transposed"] = transposed;
    context->saved_data["bias learns"] = bias && bias->requires_grad();
    const at::Tensor w = to_bfloat16(weight);
    at::Tensor y = (transposed ? at::mm(x, w) : at::linear(x, w)).to(weight.scalar_type());
    return bias ? y.add_(*bias) : y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, const torch::autograd::variable_list& grads) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], grad = to_bfloat16(grads[0]);
    const bool transposed = context->saved_data["transposed"].toBool();
    at::Tensor of_x, of_weight, of_bias;
    if (weight.defined()) {
      const at::Tensor w = to_bfloat16(weight);
      of_x = at::mm(grad, transposed ? w.t() : w);
    }
    if (x.defined()) of_weight = (transposed ? at::mm(x.t(), grad) : at::mm(grad.t(), x)).to(grads[0].scalar_type());
    if (context->saved_data["bias learns"].toBool()) of_bias = grads[0].sum(0);
    return {of_x, of_weight, of_bias, {}};
  }
};

}  // namespace

at::Tensor operand(const at::Tensor& x, Precision precision) { return precision == Precision::bfloat16 ? to_bfloat16(x) : x; }

at::Tensor product(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias, bool transposed,
                   Precision precision) {
  if (precision == Precision::float32) return float32_product(x, weight, bias, transposed);
  return Bfloat16Product::apply(to_bfloat16(x), weight, bias, transposed);
}

}  // namespace tsrun::model
