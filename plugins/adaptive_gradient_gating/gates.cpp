#include "gates.h"

#include "tsrun/base/operators.h"

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

namespace tsrun::adaptive_gradient_gating {
namespace {

/// As the product of `read` and `weight`, but for the weight's gradient. (A gradient that a gate of 0 holds back is zero, not the rounding
/// of a difference, which Adam would magnify.)
struct GatedScores : torch::autograd::Function<GatedScores> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& read, const at::Tensor& weight,
                            const at::Tensor& scores, const at::Tensor& targets, const at::Tensor& rare, const at::Tensor& by_target) {
    context->save_for_backward({read, weight, targets, rare, by_target});
    return scores.detach();
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, const torch::autograd::variable_list& given) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &read = saved[0], &weight = saved[1], &rare = saved[3], &gradient = given[0];
    const at::Tensor target = saved[2].clamp_min(0);  // positions without a target have no gradient
    at::Tensor gated = saved[4].to(gradient.scalar_type()).index_select(0, rare.index_select(0, target).to(at::kLong)).mul_(gradient);
    gated.scatter_(1, target.unsqueeze(1), gradient.gather(1, target.unsqueeze(1)));
    const at::Tensor back =
        context->needs_input_grad(0) ? at::mm(gradient, weight.to(gradient.scalar_type())).to(read.scalar_type()) : at::Tensor();
    return {back, at::mm(gated.t(), read.to(gradient.scalar_type())).to(weight.scalar_type()), {}, {}, {}, {}};
  }
};

}  // namespace

Gates gates_of(const at::Tensor& counts, int64_t steps, double alpha, int64_t spared) {
  const at::Tensor a_step = counts.to(at::kDouble) / static_cast<double>(steps);
  at::Tensor rare = a_step < alpha;
  rare.narrow(0, 0, std::min(spared, counts.size(0))).fill_(false);
  const at::Tensor mean = counts.masked_select(rare).to(at::kDouble).mean();  // NaN where no word is rare, and then nobody's
  const at::Tensor among_rare = (counts / (mean + 1e-7)).clamp_max(1), one = at::ones_like(a_step);
  return {rare, at::stack({at::where(rare, a_step, one), at::where(rare, among_rare, one)}).to(at::kFloat)};
}

at::Tensor gated_scores(const at::Tensor& scores, const at::Tensor& read, const at::Tensor& weight, const at::Tensor& targets,
                        const Gates& gates) {
  const auto device = scores.device();
  return GatedScores::apply(read, weight, scores, targets.to(device), gates.rare.to(device), gates.by_target.to(device));
}

}  // namespace tsrun::adaptive_gradient_gating
