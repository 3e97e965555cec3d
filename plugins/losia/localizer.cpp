#include "localizer.h"

#include "tsrun/base/operators.h"

namespace tsrun::losia {
namespace {

const std::string average_prefix = "average.", uncertainty_prefix = "uncertainty.";

at::Tensor term_of(const std::string& taylor, const TrainedParameter& parameter) {
  const at::Tensor sensitivity = parameter.value.detach() * parameter.gradient;
  if (taylor == "first") return sensitivity.abs();
  if (taylor == "second") return sensitivity.square();
  return (sensitivity - 0.5 * sensitivity.square()).abs();
}

}  // namespace

Importance::Importance(const Options& options)
    : taylor_(options.text("taylor")), beta1_(options.number("importance_beta")), beta2_(options.number("uncertainty_beta")) {}

void Importance::add(const std::string& name, const TrainedParameter& parameter) {
  const at::Tensor term = term_of(taylor_, parameter);
  if (!has(name)) averages_[name] = at::zeros_like(term), uncertainties_[name] = at::zeros_like(term);
  averages_[name].mul_(beta1_).add_(term, 1 - beta1_);
  uncertainties_[name].mul_(beta2_).add_((term - averages_[name]).abs_(), 1 - beta2_);
}

void Importance::forget(const std::string& name) {
  averages_.erase(name);
  uncertainties_.erase(name);
}

void Importance::save(PluginState& state) const {
  for (const auto& [name, tensor] : averages_) state[average_prefix + name] = tensor;
  for (const auto& [name, tensor] : uncertainties_) state[uncertainty_prefix + name] = tensor;
}

void Importance::restore(const PluginState& state, const Weights& weights) {
  const auto take = [&](const std::string& prefix, std::map<std::string, at::Tensor>& into) {
    for (const auto& [name, tensor] : state) {
      if (!name.starts_with(prefix)) continue;
      const std::string own = name.substr(prefix.size());
      into[own] = tensor.clone().to(weights.at(own).device());
    }
  };
  take(average_prefix, averages_);
  take(uncertainty_prefix, uncertainties_);
}

bool Slots::watches(int64_t step, int64_t layer) const {
  const int64_t turn = (step / period_) % layers_;
  return asynchronous_ ? turn == layer : turn == 0;
}

}  // namespace tsrun::losia
