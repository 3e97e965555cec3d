#include "freezing.h"
#include "methods.h"
#include "tsrun/base/operators.h"

#include <algorithm>
#include <cmath>

namespace tsrun::layer_schedules {
namespace {

/// Percentile with linear interpolation between the two nearest, as NumPy's.
double percentile_of(std::vector<double> values, double percent) {
  std::sort(values.begin(), values.end());
  const double place = percent / 100 * static_cast<double>(values.size() - 1);
  const auto below = static_cast<size_t>(place);
  const double above = values[std::min(below + 1, values.size() - 1)];
  return values[below] + (place - std::floor(place)) * (above - values[below]);
}

class ByGradientChange final : public Selector {
 public:
  ByGradientChange(const MethodInputs& inputs, const Options& options)
      : family_(inputs.family),
        origin_(inputs.origin),
        interval_(std::max<int64_t>(inputs.steps / options.integer("intervals"), 1)),
        percent_(options.number("percentile")),
        cache_(options.flag("cache_prefix")) {
    for (const ParameterInfo& info : family_.parameters()) layers_[info.name] = info.layer;
  }

  std::optional<Scope> scope(Step& step) override {
    if (step.number == 0 || step.number % interval_ != 0) return std::nullopt;
    const std::vector<double> sizes = layer_sums();
    sums_.clear();
    const std::vector<double> before = std::exchange(sizes_, sizes);
    if (before.empty()) return std::nullopt;
    const int start = first_changing(before, sizes);
    frozen_at_.push_back(start);
    if (start == std::exchange(start_, start)) return std::nullopt;
    return scope_above(family_, start, cache_);
  }

  void after_backward(Step& step) override {
    for (const Block& block : step.blocks) {
      if (block.name == "z") continue;  // coordinates, not parameters
      for (const Slice& slice : block.layout->slices())
        if (layers_.at(slice.name) >= start_) add(slice.name, block.gradient.narrow(0, slice.offset, slice.size));
    }
  }
  nlohmann::json report() const override { return {{"frozen_layers", start_}, {"decisions", frozen_at_}}; }
  PluginState state() const override;
  void restore(const PluginState& state) override;

 private:
  void add(const std::string& name, const at::Tensor& gradient) {
    at::Tensor& sum = sums_[name];
    sum = sum.defined() ? sum.add_(gradient) : gradient.clone();
  }
  std::vector<double> layer_sums() const;
  int first_changing(const std::vector<double>& before, const std::vector<double>& now) const;

  const Family& family_;
  const Weights& origin_;
  int64_t interval_;
  double percent_;
  bool cache_;
  int start_ = 0;
  std::map<std::string, int> layers_;       ///< of parameters; -1 outside layers
  std::vector<int64_t> frozen_at_;          ///< decision after decision
  std::vector<double> sizes_;               ///< of the last interval, by layer
  std::map<std::string, at::Tensor> sums_;  ///< gradients of the interval, of parameters in layers that are trained
};

/// L1 norms of the tensors' summed gradients, summed over each layer.
std::vector<double> ByGradientChange::layer_sums() const {
  std::vector<double> sums(static_cast<size_t>(family_.layers()));
  for (const auto& [name, sum] : sums_) sums.at(static_cast<size_t>(layers_.at(name))) += sum.abs().sum().item<double>();
  return sums;
}

/// The lowest trained layer whose gradient changes at least by the percentile.
int ByGradientChange::first_changing(const std::vector<double>& before, const std::vector<double>& now) const {
  std::vector<double> changes;
  for (size_t layer = static_cast<size_t>(start_); layer < now.size(); ++layer)
    changes.push_back(before[layer] > 0 ? std::abs(before[layer] - now[layer]) / before[layer] : 0);
  const double threshold = percentile_of(changes, percent_);
  const auto found = std::find_if(changes.begin(), changes.end(), [&](double change) { return change >= threshold; });
  return start_ + static_cast<int>(found - changes.begin());
}

PluginState ByGradientChange::state() const {
  PluginState state = {{"start", at::full({1}, start_, at::kLong)},
                       {"decisions", at::tensor(frozen_at_, at::kLong)},
                       {"sizes", at::tensor(sizes_, at::kDouble)}};
  for (const auto& [name, sum] : sums_) state["sum." + name] = sum;
  return state;
}

void ByGradientChange::restore(const PluginState& state) {
  start_ = static_cast<int>(state.at("start").item<int64_t>());
  const at::Tensor decisions = state.at("decisions").cpu(), sizes = state.at("sizes").cpu();
  frozen_at_.assign(decisions.const_data_ptr<int64_t>(), decisions.const_data_ptr<int64_t>() + decisions.numel());
  sizes_.assign(sizes.const_data_ptr<double>(), sizes.const_data_ptr<double>() + sizes.numel());
  sums_.clear();
  for (const auto& [key, sum] : state) {
    if (!key.starts_with("sum.")) continue;
    const std::string name = key.substr(4);
    sums_[name] = sum.clone().to(origin_.at(name).device());
  }
}

}  // namespace

OptionTable AutoFreeze::options() const {
  OptionTable table = {
      {.name = "intervals",
       .type = OptionType::integer,
       .fallback = 10,
       .doc = "equal parts of the training; a decision behind each",
       .minimum = 3},
      {.name = "percentile",
       .type = OptionType::number,
       .fallback = 50.0,
       .doc = "of the trained layers' relative changes: layers below the first one above it are frozen",
       .minimum = 0,
       .maximum = 100},
  };
  return table.include(cache_options());
}

std::unique_ptr<Selector> AutoFreeze::make(const MethodInputs& inputs, const Options& options) const {
  return std::make_unique<ByGradientChange>(inputs, options);
}

}  // namespace tsrun::layer_schedules
