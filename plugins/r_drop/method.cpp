#include "method.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

namespace tsrun::r_drop {
namespace {

/// (KL(p‖q) + KL(q‖p)) / 2 of each row, [rows]: Σ (p − q)(log p − log q) / 2.
at::Tensor divergence(const at::Tensor& first, const at::Tensor& second) {
  const at::Tensor p = at::log_softmax(first, -1), q = at::log_softmax(second, -1);
  return ((p.exp() - q.exp()) * (p - q)).sum(-1) / 2;
}

/// Loss ½ (CE₁ + CE₂) + α · divergence. The trainer has CE₁ already.
class TwoPasses final : public Regularizer {
 public:
  TwoPasses(bool regression, const Options& options)
      : regression_(regression), alpha_(options.number("alpha")), sum_(options.text("reduction") == "sum") {}

  at::Tensor batch_loss(Step& step, ForwardPass& pass) override {
    const Output second = pass.again(step.key.split("second pass").split(static_cast<uint64_t>(pass.number)), {});
    const at::Tensor distance =
        regression_ ? (pass.output.logits - second.logits).square().reshape({-1}) : divergence(pass.output.logits, second.logits);
    // batch_loss counts by the batch's share; a sum over the step's rows must not.
    const at::Tensor reduced = sum_ ? distance.sum() / pass.share : distance.mean();
    last_ = reduced.detach();
    return (pass.loss_of(second) - pass.task_loss) / 2 + reduced * alpha_;
  }
  nlohmann::json report() const override { return {{"alpha", alpha_}, {"last_divergence", last_.defined() ? last_.item<double>() : 0}}; }

 private:
  bool regression_;
  double alpha_;
  bool sum_;
  at::Tensor last_;
};

}  // namespace

OptionTable Method::options() const {
  return {
      {.name = "alpha", .type = OptionType::number, .fallback = 1.0, .doc = "weight of the divergence", .minimum = 0},
      {.name = "reduction",
       .type = OptionType::choice,
       .fallback = "mean",
       .doc = "reduction of the divergence over the rows (tokens with a target) of a step",
       .choices = {"mean", "sum"}},
  };
}

std::unique_ptr<Regularizer> Method::make(const MethodInputs& inputs, const Options& options) const {
  const HeadKind head = inputs.family.head().kind;
  if (head == HeadKind::none) user_error("r_drop: the model has no head, so there are no predictions to compare");
  return std::make_unique<TwoPasses>(head == HeadKind::regression || head == HeadKind::replaced_token, options);
}

}  // namespace tsrun::r_drop
