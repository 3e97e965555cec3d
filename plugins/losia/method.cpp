#include "method.h"

#include "localizer.h"
#include "sub_matrix.h"
#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/tune/entry_masks.h"
#include "tsrun/tune/mask_record.h"

#include <algorithm>

namespace tsrun::losia {
namespace {

std::vector<ParameterInfo> weights_in_layers(const Family& family, const Options& options) {
  std::vector<ParameterInfo> weights = masked_parameters(family, options, "losia");
  std::erase_if(weights,
                [](const ParameterInfo& info) { return info.kind != ParameterKind::weight || info.shape.size() != 2 || info.layer < 0; });
  if (weights.empty()) user_error("losia: none of the masked parameters is a weight of a linear layer");
  return weights;
}

class Localized final : public Selector {
 public:
  Localized(const MethodInputs& inputs, const Options& options)
      : key_(inputs.key),
        origin_(inputs.origin),
        options_(options),
        weights_(weights_in_layers(inputs.family, options)),
        slots_(options.integer("period"), inputs.family.layers(), options.text("update") == "asynchronous"),
        importance_(options),
        restarts_(at::zeros({inputs.family.layers()}, at::kLong)) {}

  std::optional<Scope> scope(Step& step) override {
    if (step.number == 0) return first_scope(step);
    Scope scope = *step.chosen;
    const bool moved = relocalise(step.number, scope);
    const bool warms = set_rates(step.number, scope);
    if (moved) record_.add(step, scope);
    return moved || warms ? std::optional(scope) : std::nullopt;
  }
  void after_backward(Step& step) override {
    for (const ParameterInfo& info : weights_) {
      if (!slots_.watches(step.number, info.layer)) continue;
      const TrainedParameter parameter = trained_parameter(step, info, "losia");
      if (parameter.gradient.defined()) importance_.add(info.name, parameter);
    }
  }
  nlohmann::json report() const override { return record_.report(); }
  PluginState state() const override {
    PluginState state{{"restarts", restarts_}};
    importance_.save(state);
    record_.save(state);
    return state;
  }
  void restore(const PluginState& state) override {
    restarts_ = state.at("restarts").clone();
    importance_.restore(state, origin_);
    record_.restore(state);
  }

 private:
  /// Rounded down as in the reference, but not where the product itself falls below a whole number by its rounding.
  int64_t chosen_of(int64_t size) const {
    return std::max<int64_t>(static_cast<int64_t>(options_.number("rank_factor") * static_cast<double>(size) + 1e-9), 1);
  }

  Scope first_scope(const Step& step) {
    Scope scope = scope_of_masks(weights_, freeze_of(options_), [&](const ParameterInfo& info) {
      return random_sub_matrix(info.shape, chosen_of(info.shape[0]), chosen_of(info.shape[1]), key_.split(info.name));
    });
    scope.moments = Moments::drop;
    freeze_others(scope, step.family, options_);
    record_.add(step, scope);
    return scope;
  }

  bool relocalise(int64_t step, Scope& scope) {
    bool moved = false;
    for (const ParameterInfo& info : weights_) {
      if (!slots_.relocalises(step, info.layer) || !importance_.has(info.name)) continue;
      scope.parameters[info.name].mask = best_sub_matrix(importance_.of(info.name), chosen_of(info.shape[0]), chosen_of(info.shape[1]));
      importance_.forget(info.name);
      restarts_[info.layer] = step;
      moved = true;
    }
    return moved;
  }

  /// From 0 to 1 over `rewarm` steps behind each localisation but the first, which the training's own warm-up serves. Tells whether any
  /// rate is another than in the step before.
  bool set_rates(int64_t step, Scope& scope) {
    const int64_t rewarm = options_.has("rewarm") ? options_.integer("rewarm") : options_.integer("period");
    bool changed = false;
    for (const ParameterInfo& info : weights_) {
      const auto restart = restarts_[info.layer].item<int64_t>();
      const bool warms = restart > 0 && step - restart < rewarm;
      double& rate = scope.parameters[info.name].rate;
      const double now = warms ? static_cast<double>(step - restart) / static_cast<double>(rewarm) : 1;
      changed = changed || now != rate;
      rate = now;
    }
    return changed;
  }

  Key key_;
  const Weights& origin_;
  Options options_;
  std::vector<ParameterInfo> weights_;
  Slots slots_;
  Importance importance_;
  at::Tensor restarts_;  ///< int64 [layers]: step before which each was last localised
  MaskRecord record_;
};

Option beta_option(const std::string& name, const std::string& doc) {
  return {.name = name, .type = OptionType::number, .fallback = 0.85, .doc = doc, .minimum = 0, .maximum = 1};
}

}  // namespace

OptionTable Method::options() const {
  OptionTable table = {
      {.name = "rank_factor",
       .type = OptionType::number,
       .fallback = 0.125,
       .doc = "share of each weight's rows, and of its columns, that cross in the trained sub-matrix",
       .minimum = 0,
       .maximum = 1},
      {.name = "period", .type = OptionType::integer, .fallback = 100, .doc = "steps of a time slot", .minimum = 1, .unit = "steps"},
      {.name = "update",
       .type = OptionType::choice,
       .fallback = "asynchronous",
       .doc = "one layer at the end of each slot in turn, or all layers at the end of every first slot of as many as there are layers",
       .choices = {"asynchronous", "synchronous"}},
      {.name = "taylor",
       .type = OptionType::choice,
       .fallback = "mix",
       .doc = "importance of an entry in a step, with s = w x gradient: |s - s x s / 2| (mix), |s| (first), s x s (second)",
       .choices = {"mix", "first", "second"}},
      beta_option("importance_beta", "decay of the average of importance"),
      beta_option("uncertainty_beta", "decay of the average distance from it"),
      {.name = "rewarm",
       .type = OptionType::integer,
       .doc = "steps over which the learning rate of a layer that was localised anew rises from 0; absent: a period",
       .minimum = 0,
       .unit = "steps"},
      others_option("trained"),
  };
  return table.include(mask_options({"encoder", "decoder"}, Freeze::state));
}

Wants Method::wants(const Options& options) const { return {.whole_vocabulary = masks_embeddings(options)}; }

std::unique_ptr<Selector> Method::make(const MethodInputs& inputs, const Options& options) const {
  return std::make_unique<Localized>(inputs, options);
}

}  // namespace tsrun::losia
