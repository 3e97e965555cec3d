#include "importance.h"

#include "tsrun/base/operators.h"

namespace tsrun::adalora {
namespace {

const std::string mean_prefix = "mean.", change_prefix = "change.";

}  // namespace

void Importance::see(const std::string& name, const TrainedParameter& parameter) {
  const at::Tensor now = (parameter.value * parameter.gradient).abs();
  const auto [found, fresh] = all_.try_emplace(name);
  if (fresh) found->second = {at::zeros_like(now), at::zeros_like(now)};
  auto& [mean, change] = found->second;
  mean = mean.to(now.device()) * beta1_ + now * (1 - beta1_);
  change = change.to(now.device()) * beta2_ + (now - mean).abs() * (1 - beta2_);
}

void Importance::add_to(PluginState& state) const {
  for (const auto& [name, means] : all_) state[mean_prefix + name] = means.mean, state[change_prefix + name] = means.change;
}

void Importance::restore(const PluginState& state) {
  all_.clear();
  for (const auto& [name, tensor] : state)
    if (name.starts_with(mean_prefix)) {
      const std::string own = name.substr(mean_prefix.size());
      all_[own] = {tensor, state.at(change_prefix + own)};
    }
}

}  // namespace tsrun::adalora
