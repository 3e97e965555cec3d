#include "surgical.h"

#include "layer_choice.h"
#include "methods.h"
#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace tsrun::layer_scores {
namespace {

using Scores = std::map<std::string, double>;
using ScopeOfScores = std::function<Scope(const Scores&)>;
using Statistic = std::function<double(const at::Tensor& gradient, const at::Tensor& value)>;

/// Means over batches of the training split, in evaluation.
Scores mean_scores(const Family& family, Probe& probe, const Weights& weights, Key key, const Options& options,
                   const Statistic& statistic) {
  const int64_t size = options.integer("rows_at_once");
  const auto batches = drawn_batches(probe, key, size * options.integer("batches"), size);
  Scores scores;
  for (const auto& batch : batches) {
    const auto found = probe.loss_and_gradient(weights, batch);
    const at::NoGradGuard no_grad;
    for (const ParameterInfo& info : family.parameters())
      scores[info.name] += statistic(found.gradient.at(info.name), weights.at(info.name)) / static_cast<double>(batches.size());
  }
  return scores;
}

/// Rates from 0 to 1; tensors without a score have 1.
Scope scope_of_rates(const Scores& scores) {
  double largest = 0;
  for (const auto& [name, score] : scores) largest = std::max(largest, score);
  if (largest == 0) run_error("gradient_norm: the gradients of all tensors are zero");
  Scope scope;
  for (const auto& [name, score] : scores) scope.parameters[name].rate = score < 0 ? 1 : score / largest;
  return scope;
}

Scope scope_of_signals(const Scores& scores, double threshold) {
  Scope scope;
  for (const auto& [name, score] : scores)
    if (score >= 0 && score < threshold) scope.parameters[name].trained = false;
  return scope;
}

/// Of every layer's numbers, those that a scope trains, counted by their rates; float64 [layers].
at::Tensor trained_shares(const Family& family, const Scope& scope) {
  at::Tensor trained = at::zeros({family.layers()}, at::kDouble), all = at::zeros_like(trained);
  for (const ParameterInfo& info : family.parameters()) {
    if (info.layer < 0) continue;
    const auto numbers = static_cast<double>(c10::multiply_integers(info.shape));
    const Scope::Entry entry = scope.entry(info);
    trained[info.layer] += entry.trained ? entry.rate * numbers : 0;
    all[info.layer] += numbers;
  }
  return trained / all.clamp_min(1);
}

/// Scores tensors at the beginning of every epoch.
class EachEpoch final : public Selector {
 public:
  EachEpoch(const MethodInputs& inputs, std::function<Scores(const Weights&, Key)> score, ScopeOfScores scope)
      : period_(std::max<int64_t>(inputs.steps_per_epoch, 1)), score_(std::move(score)), scope_(std::move(scope)) {}

  std::optional<Scope> scope(Step& step) override {
    if (step.number % period_ != 0) return std::nullopt;
    ++choices_;
    Scope scope = scope_(score_(step.weights, step.key));
    const at::Tensor shares = trained_shares(step.family, scope);
    shares_ = shares_.defined() ? shares_ + shares : shares;
    if (step.chosen == nullptr && !scope.restricts(step.family)) return std::nullopt;  // the gradients gave no reason yet
    return scope;
  }
  nlohmann::json report() const override {
    nlohmann::json report = {{"choices", choices_}};
    if (choices_ == 0) return report;
    const at::Tensor mean = shares_ / static_cast<double>(choices_);
    report["trained_share"] = std::vector<double>(mean.const_data_ptr<double>(), mean.const_data_ptr<double>() + mean.numel());
    return report;
  }
  PluginState state() const override {
    PluginState state = {{"choices", at::full({1}, choices_, at::kLong)}};
    if (shares_.defined()) state["shares"] = shares_;
    return state;
  }
  void restore(const PluginState& state) override {
    choices_ = state.at("choices").item<int64_t>();
    if (const auto shares = state.find("shares"); shares != state.end()) shares_ = shares->second;
  }

 private:
  int64_t period_;
  std::function<Scores(const Weights&, Key)> score_;
  ScopeOfScores scope_;
  int64_t choices_ = 0;
  at::Tensor shares_;  ///< sums over the choices, by layer
};

auto scoring(const MethodInputs& inputs, const Options& options, Statistic statistic) {
  return [&family = inputs.family, probe = inputs.probe, options, statistic = std::move(statistic)](const Weights& weights, Key key) {
    return mean_scores(family, *probe, weights, key, options, statistic);
  };
}

Statistic statistic_of_signals(const Options& options) {
  return
      [epsilon = options.number("epsilon")](const at::Tensor& gradient, const at::Tensor&) { return signal_to_noise(gradient, epsilon); };
}

OptionTable batch_options() {
  return {
      {.name = "batches", .type = OptionType::integer, .fallback = 5, .doc = "batches that scores are averaged over", .minimum = 1},
      {.name = "rows_at_once", .type = OptionType::integer, .fallback = 32, .doc = "rows of a batch", .minimum = 1},
  };
}

}  // namespace

double relative_norm(const at::Tensor& gradient, const at::Tensor& value) {
  const double norm = value.detach().norm().item<double>(), elements = static_cast<double>(value.numel());
  constexpr double rounding = 1e-7;  // key biases that began at zero have no gradient but rounding, and would scale all rates by it
  return norm > rounding * std::sqrt(elements) ? gradient.norm().item<double>() / norm : -1;
}

double signal_to_noise(const at::Tensor& gradient, double epsilon) {
  if (gradient.size(0) < 2) return -1;
  const at::Tensor noise = gradient.var({0}, /*unbiased=*/true, /*keepdim=*/true);
  return (gradient.square() / (noise + epsilon)).mean().item<double>();
}

OptionTable GradientNorm::options() const { return batch_options(); }

std::optional<Choice> GradientNorm::choose(const MethodInputs& inputs, const Options& options) const {
  const Scores scores = scoring(inputs, options, relative_norm)(inputs.origin, inputs.key);
  return Choice{scope_of_rates(scores), {{"scores", scores}}};
}

std::unique_ptr<Selector> GradientNorm::make(const MethodInputs& inputs, const Options& options) const {
  return std::make_unique<EachEpoch>(inputs, scoring(inputs, options, relative_norm), scope_of_rates);
}

OptionTable SignalToNoise::options() const {
  OptionTable table = {
      {.name = "threshold", .type = OptionType::number, .fallback = 0.95, .doc = "least ratio of a trained tensor", .minimum = 0},
      {.name = "epsilon", .type = OptionType::number, .fallback = 1e-8, .doc = "added to the variance of a gradient", .minimum = 0},
  };
  return table.include(batch_options());
}

std::optional<Choice> SignalToNoise::choose(const MethodInputs& inputs, const Options& options) const {
  const Scores scores = scoring(inputs, options, statistic_of_signals(options))(inputs.origin, inputs.key);
  return Choice{scope_of_signals(scores, options.number("threshold")), {{"scores", scores}}};
}

std::unique_ptr<Selector> SignalToNoise::make(const MethodInputs& inputs, const Options& options) const {
  const double threshold = options.number("threshold");
  return std::make_unique<EachEpoch>(inputs, scoring(inputs, options, statistic_of_signals(options)),
                                     [threshold](const Scores& scores) { return scope_of_signals(scores, threshold); });
}

}  // namespace tsrun::layer_scores
