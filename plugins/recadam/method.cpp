#include "method.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace tsrun::recadam {
namespace {

/// λ(t), from 0 to `w`.
struct Annealing {
  std::string function;
  double k, t0, w;

  double at(int64_t step) const {
    const auto t = static_cast<double>(step + 1);
    if (function == "constant") return w;
    if (function == "linear") return w * (t0 > 0 ? std::min(1.0, t / t0) : 1);
    return w / (1 + std::exp(-k * (t - t0)));
  }
};

/// θ ← θ − η λ m̂ / (√v̂ + ε) is the optimiser's; then θ ← θ − η (w − λ) γ (θ − θ0), and decay by η, which AdamW's own in front of the step,
/// by η λ, makes way for.
class Recalling final : public Regularizer {
 public:
  Recalling(Annealing annealing, double gamma, bool head) : annealing_(std::move(annealing)), gamma_(gamma), head_(head) {}

  void before_update(Step& step) override {
    share_ = annealing_.at(step.number);
    for (Block& block : step.blocks) {
      if (!is_pulled(block)) continue;
      rates_[block.name] = block.rate * block.rate_factor;
      const bool decays = std::any_of(block.spans.begin(), block.spans.end(), [](const Span& span) { return span.decay > 0; });
      if (decays) before_[block.name] = block.value.clone();
      block.rate_factor *= share_;
    }
  }

  void after_update(Step& step) override {
    const at::NoGradGuard no_grad;
    for (const Block& block : step.blocks) {
      if (!is_pulled(block)) continue;
      const double rate = rates_.at(block.name) * step.rate_factor;
      for (const Span& span : block.spans) recall(block, span, rate * span.rate, step.number);
    }
    before_.clear();
  }
  nlohmann::json report() const override { return {{"anneal", annealing_.function}, {"last_lambda", share_}}; }

 private:
  /// A new head has nothing to recall, nor has what a subspace composes: its coordinates are pulled.
  bool is_pulled(const Block& block) const { return !block.composed && (head_ || block.name != "head") && annealing_.w > 0; }

  void recall(const Block& block, const Span& span, double rate, int64_t step) const {
    const double pull = rate * (annealing_.w - share_) * gamma_;
    if (pull > 2)
      user_error("recadam: step {}: learning rate × (anneal_w − λ) × gamma is {:.3g}; a pull above 2 leads away from the origin", step + 1,
                 pull);
    const auto part = [&](const at::Tensor& flat) { return flat.narrow(0, span.begin, span.end - span.begin); };
    if (span.decay > 0) part(block.value).add_(part(before_.at(block.name)), rate * share_ * span.decay);
    part(block.value).lerp_(part(block.origin), pull);
    if (span.decay > 0) part(block.value).mul_(1 - rate * span.decay);
  }

  Annealing annealing_;
  double gamma_;
  bool head_;
  double share_ = 0;                          ///< λ of the step
  std::map<std::string, double> rates_;       ///< learning rates without λ
  std::map<std::string, at::Tensor> before_;  ///< values in front of the step, where they decay
};

}  // namespace

OptionTable Method::options() const {
  return {
      {.name = "gamma", .type = OptionType::number, .fallback = 5000.0, .doc = "strength of the pull, γ", .minimum = 0},
      {.name = "anneal",
       .type = OptionType::choice,
       .fallback = "sigmoid",
       .doc = "λ of step t, counted from 1: anneal_w / (1 + exp(-k (t - t0))), anneal_w min(1, t / t0), or anneal_w",
       .choices = {"sigmoid", "linear", "constant"}},
      {.name = "k", .type = OptionType::number, .fallback = 0.5, .doc = "slope of the sigmoid", .minimum = 0},
      {.name = "t0",
       .type = OptionType::number,
       .fallback = 250.0,
       .doc = "middle of the sigmoid, end of the linear rise",
       .minimum = 0,
       .unit = "steps"},
      {.name = "anneal_w",
       .type = OptionType::number,
       .fallback = 1.0,
       .doc = "largest λ; the pull has what is left of it. 0: plain AdamW",
       .minimum = 0},
      {.name = "head", .type = OptionType::boolean, .fallback = false, .doc = "treat the head alike, with its first values as origin"},
  };
}

std::unique_ptr<Regularizer> Method::make(const MethodInputs& /*inputs*/, const Options& options) const {
  return std::make_unique<Recalling>(
      Annealing{options.text("anneal"), options.number("k"), options.number("t0"), options.number("anneal_w")}, options.number("gamma"),
      options.flag("head"));
}

}  // namespace tsrun::recadam
