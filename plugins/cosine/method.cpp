#include "method.h"

#include "tsrun/linalg/row_combination.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

namespace tsrun::cosine {
namespace {

/// own_i x_i + factor_i direction
template <class T>
void combine_into(at::Tensor& out, const at::Tensor& x, const at::Tensor& own, const at::Tensor& direction, const at::Tensor& factor) {
  combine_rows(x.const_data_ptr<T>(), x.size(0), x.size(1), own.const_data_ptr<T>(), direction.const_data_ptr<T>(),
               factor.const_data_ptr<T>(), out.mutable_data_ptr<T>());
}

at::Tensor combined(const at::Tensor& x, const at::Tensor& own, const at::Tensor& direction, const at::Tensor& factor, at::Tensor memory) {
  const bool single = x.scalar_type() == at::kFloat;
  if (!x.is_cpu() || !x.is_contiguous() || (!single && x.scalar_type() != at::kDouble))
    return (x * own.unsqueeze(1)).addr_(factor, direction);
  if (!memory.defined()) memory = at::empty_like(x);
  single ? combine_into<float>(memory, x, own, direction, factor) : combine_into<double>(memory, x, own, direction, factor);
  return memory;
}

/// A tensor that may be undefined, which autograd takes no part in.
struct Memory {
  at::Tensor tensor;
};

/// By hand, since autograd would make several matrices of the vocabulary's size.
struct MeanCosine : torch::autograd::Function<MeanCosine> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& rows, const Memory& memory) {
    const at::Tensor norms = rows.norm(2, {1});
    const at::Tensor inverse = at::where(norms > 0, norms.reciprocal(), at::zeros_like(norms));
    const at::Tensor sum = at::mv(rows.t(), inverse);
    context->save_for_backward({rows, inverse, sum});
    if (memory.tensor.defined()) context->saved_data["memory"] = memory.tensor;
    const auto count = static_cast<double>(rows.size(0));
    return (sum.dot(sum) - inverse.count_nonzero()) / (count * count);
  }
  /// ∂/∂x_i = (2 / N²) (s − x̂_i (x̂_i·s)) / ‖x_i‖, s = Σ x̂
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &rows = saved[0], &inverse = saved[1], &sum = saved[2];
    const auto count = static_cast<double>(rows.size(0));
    const at::Tensor factor = inverse * gradients[0] * (2 / (count * count));
    const at::Tensor along = at::mv(rows, sum) * inverse.square() * factor;
    const auto memory = context->saved_data.find("memory");
    const at::Tensor out = memory == context->saved_data.end() ? at::Tensor() : memory->second.toTensor();
    return {combined(rows, along.neg(), sum, factor, out), {}};
  }
};

class Cosine final : public RowTerm {
 public:
  Cosine(const MethodInputs& inputs, const Options& options) : RowTerm(inputs, options, "cosine") {}

 private:
  at::Tensor term(const at::Tensor& rows, const Step& /*step*/) override { return mean_cosine(rows, gradient_memory(rows)); }
};

}  // namespace

at::Tensor mean_cosine(const at::Tensor& rows, const at::Tensor& memory) { return MeanCosine::apply(rows, Memory{memory}); }

std::unique_ptr<Regularizer> Method::make(const MethodInputs& inputs, const Options& options) const {
  return std::make_unique<Cosine>(inputs, options);
}

}  // namespace tsrun::cosine
