#include "train/member_state.h"

#include "tsrun/base/operators.h"

namespace tsrun::training {
namespace {

FrozenModel frozen_under(const Weights& leaves, const Model& model, SharedTensors& shared) {
  FrozenModel result{model.family, {}};
  for (const std::string& name : model.weights.names()) {  // parameters, and constants of deltas
    const at::Tensor* leaf = leaves.find(name);
    result.weights.set(name, leaf ? *leaf : shared.share(name, model.weights.at(name).detach()));
  }
  return result;
}

}  // namespace

at::Tensor SharedTensors::share(const std::string& name, const at::Tensor& value) {
  auto& known = tensors_[name];
  for (const auto& [host, placed] : known) {
    const bool same = host.data_ptr() == value.data_ptr() || at::equal(host, value);
    if (host.sizes() == value.sizes() && same) return placed;
  }
  known.emplace_back(value, value.to(device_, at::kFloat));
  return known.back().second;
}

MemberState::MemberState(const MemberModels& given, at::Device device, SharedTensors& shared)
    : buffer("member", given.parameters.layout, given.models.at(0).weights, device),
      weights(buffer.value.cpu()),
      gradient(buffer.gradient.cpu()) {
  Weights leaves;
  buffer.add_leaves(leaves);
  for (const Model& model : given.models) by_task.push_back(frozen_under(leaves, model, shared));
}

void MemberState::push() {
  if (!buffer.value.is_cpu()) buffer.value.copy_(weights);
}

void MemberState::pull() {
  if (buffer.gradient.is_cpu()) return;
  gradient.add_(buffer.gradient.cpu());
  buffer.gradient.zero_();
}

}  // namespace tsrun::training
