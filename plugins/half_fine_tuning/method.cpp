#include "method.h"

#include "halves.h"
#include "tsrun/base/operators.h"

#include <algorithm>

namespace tsrun::half_fine_tuning {
namespace {

Scope half_of(const Family& family, const Options& options, Key key) {
  Scope scope = random_half(family, options.number("share"), options.text("granularity"), key);
  scope.moments = options.text("moments") == "keep" ? Moments::keep : Moments::drop;
  return scope;
}

/// Elements within layers, and those of them that are trained.
std::pair<int64_t, int64_t> sizes(const Scope& scope, const Family& family) {
  int64_t all = 0, trained = 0;
  for (const ParameterInfo& info : family.parameters()) {
    if (info.layer < 0) continue;
    int64_t elements = 1;
    for (const int64_t size : info.shape) elements *= size;
    all += elements;
    trained += scope.entry(info).trained ? elements : 0;
  }
  return {all, trained};
}

double kept_share_of(const Scope& scope, const Family& family) {
  const auto [all, trained] = sizes(scope, family);
  return all == 0 ? 1 : static_cast<double>(trained) / static_cast<double>(all);
}

/// Share of the elements within layers that are trained in one of the two scopes alone.
double change_between(const Scope& a, const Scope& b, const Family& family) {
  Scope either;
  for (const ParameterInfo& info : family.parameters())
    either.parameters[info.name].trained = a.entry(info).trained != b.entry(info).trained;
  return kept_share_of(either, family);
}

class Rounds final : public Selector {
 public:
  Rounds(const MethodInputs& inputs, Options options)
      : key_(inputs.key),
        options_(std::move(options)),
        every_(options_.integer("every") > 0 ? options_.integer("every") : std::max<int64_t>(inputs.steps_per_epoch, 1)) {}

  std::optional<Scope> scope(Step& step) override {
    if (step.number % every_ != 0) return std::nullopt;
    Scope scope = half_of(step.family, options_, key_.split(static_cast<uint64_t>(step.number / every_)));
    numbers_ += at::tensor({1.0, step.chosen ? change_between(*step.chosen, scope, step.family) : 0.0, 0.0}, at::kDouble);
    numbers_[2] = kept_share_of(scope, step.family);
    return scope;
  }
  nlohmann::json report() const override {
    const double* numbers = numbers_.const_data_ptr<double>();
    return {{"rounds", static_cast<int64_t>(numbers[0])},
            {"kept_share", numbers[2]},
            {"changed_share", numbers[1] / std::max(numbers[0] - 1, 1.0)}};
  }
  PluginState state() const override { return {{"numbers", numbers_}}; }
  void restore(const PluginState& state) override { numbers_ = state.at("numbers").clone(); }

 private:
  Key key_;
  Options options_;
  int64_t every_;
  at::Tensor numbers_ = at::zeros({3}, at::kDouble);  ///< rounds, the sum of changes between them, and the share kept last
};

}  // namespace

OptionTable Method::options() const {
  return {
      {.name = "share",
       .type = OptionType::number,
       .fallback = 0.5,
       .doc = "trained share of the modules in layers",
       .minimum = 0,
       .maximum = 1},
      {.name = "granularity",
       .type = OptionType::choice,
       .fallback = "category",
       .doc = "balance of the draw: among attention, feed-forward and norms of each layer, in each layer, or in the whole model",
       .choices = {"category", "layer", "model"}},
      {.name = "every",
       .type = OptionType::integer,
       .fallback = 0,
       .doc = "steps of a round (schedules only); 0: an epoch",
       .minimum = 0,
       .unit = "steps"},
      {.name = "moments",
       .type = OptionType::choice,
       .fallback = "drop",
       .doc = "optimiser moments of modules that are frozen or come back",
       .choices = {"drop", "keep"}},
  };
}

std::optional<Choice> Method::choose(const MethodInputs& inputs, const Options& options) const {
  const Scope scope = half_of(inputs.family, options, inputs.key.split(uint64_t{0}));
  const auto [all, trained] = sizes(scope, inputs.family);
  return Choice{scope, {{"elements_in_layers", all}, {"trained_in_layers", trained}}};
}

std::unique_ptr<Selector> Method::make(const MethodInputs& inputs, const Options& options) const {
  return std::make_unique<Rounds>(inputs, options);
}

}  // namespace tsrun::half_fine_tuning
