#include "train/trained_state.h"

#include <ATen/core/grad_mode.h>

namespace tsrun::training {

void add_tensors(Checkpoint& checkpoint, const std::string& prefix, const NamedTensors& tensors) {
  for (const auto& [name, tensor] : tensors) checkpoint.tensors[prefix + name] = tensor;
}

NamedTensors tensors_under(const Checkpoint& checkpoint, const std::string& prefix) {
  NamedTensors tensors;
  for (const auto& [name, tensor] : checkpoint.tensors)
    if (name.starts_with(prefix)) tensors[name.substr(prefix.size())] = tensor.clone();
  return tensors;
}

NamedTensors values_of(const Binding& binding) {
  NamedTensors values;
  for (const auto& group : binding.groups()) values[group.name] = group.value;
  return values;
}

void set_values(Binding& binding, const NamedTensors& values) {
  const at::NoGradGuard no_grad;
  for (auto& group : binding.groups()) group.value.copy_(values.at(group.name));
}

}  // namespace tsrun::training
