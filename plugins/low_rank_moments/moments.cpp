#include "moments.h"

#include "tsrun/base/operators.h"

#include <cmath>

namespace tsrun::low_rank_moments {

int64_t Moments::steps(const std::string& name) const {
  const auto found = all_.find(name);
  return found == all_.end() ? 0 : found->second.steps;
}

Moments::Direction Moments::take(const std::string& name, const at::Tensor& gradient) {
  Pair& pair = all_[name];
  if (!pair.first.defined()) pair.first = at::zeros_like(gradient), pair.second = at::zeros_like(gradient);
  pair.first = pair.first.to(gradient.device()), pair.second = pair.second.to(gradient.device());  // from a checkpoint: on the host
  pair.first.mul_(beta1_).add_(gradient, 1 - beta1_);
  pair.second.mul_(beta2_).addcmul_(gradient, gradient, 1 - beta2_);
  const auto t = static_cast<double>(++pair.steps);
  return {pair.first / pair.second.sqrt().add_(epsilon_), std::sqrt(1 - std::pow(beta2_, t)) / (1 - std::pow(beta1_, t))};
}

int64_t Moments::bytes() const {
  int64_t bytes = 0;
  for (const auto& [name, pair] : all_) bytes += static_cast<int64_t>(pair.first.nbytes() + pair.second.nbytes());
  return bytes;
}

int64_t Moments::renewals(int64_t gap) const {
  int64_t made = 0;
  for (const auto& [name, pair] : all_) made += (pair.steps + gap - 1) / gap;
  return made;
}

void Moments::add_to(PluginState& state) const {
  for (const auto& [name, pair] : all_) {
    state[name + ".exp_avg"] = pair.first;
    state[name + ".exp_avg_sq"] = pair.second;
    state[name + ".step"] = at::scalar_tensor(pair.steps, at::kLong);
  }
}

void Moments::restore(const PluginState& state) {
  all_.clear();
  for (const auto& [name, step] : ending_in(state, ".step"))
    all_[name] = {state.at(name + ".exp_avg"), state.at(name + ".exp_avg_sq"), step.item<int64_t>()};
}

std::map<std::string, at::Tensor> ending_in(const PluginState& state, const std::string& ending) {
  std::map<std::string, at::Tensor> found;
  for (const auto& [name, tensor] : state)
    if (name.ends_with(ending)) found[name.substr(0, name.size() - ending.size())] = tensor;
  return found;
}

int64_t bytes_of(const std::map<std::string, at::Tensor>& tensors) {
  int64_t bytes = 0;
  for (const auto& [name, tensor] : tensors) bytes += static_cast<int64_t>(tensor.nbytes());
  return bytes;
}

}  // namespace tsrun::low_rank_moments
