#include "method.h"

#include "tsrun/base/operators.h"

namespace tsrun::weight_decay_to_origin {
namespace {

/// Fresh parameters have no pre-trained value to return to.
bool is_fresh(const std::string& block) { return block == "pooler" || block == "head"; }

/// θ ← θ − η λ (θ − θ0) behind the optimiser, with the learning rate η of each parameter.
class Decoupled final : public Regularizer {
 public:
  Decoupled(double strength, bool head) : strength_(strength), head_(head) {}

  void after_update(Step& step) override {
    const at::NoGradGuard no_grad;
    for (const Block& block : step.blocks) {
      if (block.composed || (is_fresh(block.name) && !head_)) continue;
      for (const Span& span : block.spans) {
        const auto part = [&](const at::Tensor& flat) { return flat.narrow(0, span.begin, span.end - span.begin); };
        part(block.value).lerp_(part(block.origin), block.rate * span.rate * strength_);
      }
    }
  }
  nlohmann::json report() const override { return {{"strength", strength_}, {"mode", "decoupled"}}; }

 private:
  double strength_;
  bool head_;
};

/// λ/2 ‖θ − θ0‖², once a step.
class InTheLoss final : public Regularizer {
 public:
  InTheLoss(const Weights& origin, double strength, bool head) : origin_(origin), strength_(strength), head_(head) {}

  at::Tensor step_loss(Step& step) override {
    at::Tensor sum;
    for (const Block& block : step.blocks) {
      if (block.name == "z" || (is_fresh(block.name) && !head_)) continue;
      for (const Slice& slice : block.layout->slices()) {
        const at::Tensor& weight = step.weights.at(slice.name);
        if (!weight.requires_grad()) continue;
        const at::Tensor square = (weight - origin_.at(slice.name)).square().sum();
        sum = sum.defined() ? sum + square : square;
      }
    }
    return sum.defined() ? sum * (strength_ / 2) : sum;
  }
  nlohmann::json report() const override { return {{"strength", strength_}, {"mode", "loss"}}; }

 private:
  const Weights& origin_;
  double strength_;
  bool head_;
};

}  // namespace

OptionTable Method::options() const {
  return {
      {.name = "strength", .type = OptionType::number, .fallback = 0.01, .doc = "λ", .minimum = 0},
      {.name = "mode",
       .type = OptionType::choice,
       .fallback = "decoupled",
       .doc = "decoupled: θ ← θ − η λ (θ − θ0) after the optimiser's update; loss: λ/2 ‖θ − θ0‖² in the loss, with effect on moments",
       .choices = {"decoupled", "loss"}},
      {.name = "head", .type = OptionType::boolean, .fallback = false, .doc = "pull pooler and head too, towards their initial values"},
  };
}

Wants Method::wants(const Options& options) const { return {.whole_vocabulary = false, .origin = options.text("mode") == "decoupled"}; }

std::unique_ptr<Regularizer> Method::make(const MethodInputs& inputs, const Options& options) const {
  const double strength = options.number("strength");
  if (options.text("mode") == "decoupled") return std::make_unique<Decoupled>(strength, options.flag("head"));
  return std::make_unique<InTheLoss>(inputs.origin, strength, options.flag("head"));
}

}  // namespace tsrun::weight_decay_to_origin
