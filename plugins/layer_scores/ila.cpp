#include "layer_choice.h"
#include "methods.h"
#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tsrun::layer_scores {
namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/// θ0 + γ_l Δθ of every layer l; what lies outside layers as it was tuned.
class Gated {
 public:
  Gated(const Family& family, const Weights& origin, const Weights& solution) : family_(family), origin_(origin), tuned_(origin) {
    for (const ParameterInfo& info : family.parameters()) {
      const at::Tensor tuned = solution.at(info.name).detach().to(origin.at(info.name).device());
      tuned_.set(info.name, tuned);
      if (info.layer >= 0) updates_.set(info.name, tuned - origin.at(info.name).detach());
    }
  }

  Weights weights_at(const std::vector<double>& gates) const {
    Weights weights = tuned_;
    for (const ParameterInfo& info : family_.parameters())
      if (info.layer >= 0)
        weights.set(info.name, origin_.at(info.name).detach() + updates_.at(info.name) * gates.at(static_cast<size_t>(info.layer)));
    return weights;
  }
  /// Gradient of the loss with respect to the gates.
  std::vector<double> slopes(const Weights& gradient) const {
    std::vector<double> slopes(static_cast<size_t>(family_.layers()));
    for (const ParameterInfo& info : family_.parameters())
      if (info.layer >= 0)
        slopes.at(static_cast<size_t>(info.layer)) += (gradient.at(info.name) * updates_.at(info.name)).sum().item<double>();
    return slopes;
  }

 private:
  const Family& family_;
  const Weights& origin_;
  Weights tuned_, updates_;
};

/// Scores s of the gates γ = sigmoid(s), moved down the slope of the loss.
std::vector<double> learned_scores(const MethodInputs& inputs, const Options& options) {
  const at::NoGradGuard no_grad;
  const Gated gated(inputs.family, inputs.origin, *inputs.solution);
  std::vector<double> scores(static_cast<size_t>(inputs.family.layers()), options.number("start"));
  const auto batches = drawn_batches(*inputs.probe, inputs.key.split("rows"), options.integer("rows"), options.integer("rows_at_once"));
  for (int64_t step = 0; step < options.integer("gate_steps"); ++step) {
    std::vector<double> gates;
    for (const double score : scores) gates.push_back(sigmoid(score));
    const auto& batch = batches[static_cast<size_t>(step) % batches.size()];
    const auto slopes = gated.slopes(inputs.probe->loss_and_gradient(gated.weights_at(gates), batch).gradient);
    for (size_t l = 0; l < scores.size(); ++l) scores[l] -= options.number("gate_rate") * slopes[l] * gates[l] * (1 - gates[l]);
  }
  return scores;
}

}  // namespace

OptionTable Ila::options() const {
  OptionTable table = {
      {.name = "frozen_share",
       .type = OptionType::number,
       .fallback = 0.25,
       .doc = "share of the layers that is frozen, at least one",
       .minimum = 0,
       .maximum = 1},
      {.name = "gate_steps",
       .type = OptionType::integer,
       .fallback = 16,
       .doc = "gradient steps of the gates",
       .minimum = 1,
       .unit = "steps"},
      {.name = "gate_rate", .type = OptionType::number, .fallback = 1.0, .doc = "their learning rate", .minimum = 0},
      {.name = "start", .type = OptionType::number, .fallback = 4.0, .doc = "score of every gate at first; gates are sigmoids of scores"},
  };
  return table.include(row_options(128, 32));
}

std::optional<Choice> Ila::choose(const MethodInputs& inputs, const Options& options) const {
  if (inputs.solution == nullptr)
    user_error("ila: no finished training whose update it could judge; expected ts.select(\"ila\", {{ solution = ts.train {{…}}, … }})");
  const std::vector<double> scores = learned_scores(inputs, options);
  std::vector<int> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return scores[static_cast<size_t>(a)] > scores[static_cast<size_t>(b)]; });
  const auto wanted = static_cast<size_t>(std::lround(options.number("frozen_share") * static_cast<double>(scores.size())));
  const size_t frozen = std::clamp<size_t>(wanted, 1, scores.size());
  const std::set<int> layers(order.begin(), order.end() - static_cast<int64_t>(frozen));
  Scope scope;
  for (const ParameterInfo& info : inputs.family.parameters())
    if (info.layer >= 0 && !layers.contains(info.layer)) scope.parameters[info.name].trained = false;
  return Choice{scope, {{"layers", {{"score", scores}}}, {"trained_layers", layers}}};
}

}  // namespace tsrun::layer_scores
