#pragma once

#include "tsrun/train/run_state.h"
#include "tsrun/tune/binding.h"

/// Trained values and other tensors in a checkpoint, each kind under a prefix of its own.
namespace tsrun::training {

using NamedTensors = std::map<std::string, at::Tensor>;

void add_tensors(Checkpoint& checkpoint, const std::string& prefix, const NamedTensors& tensors);
/// Copies of those whose names begin with `prefix`, under the rest of their names.
NamedTensors tensors_under(const Checkpoint& checkpoint, const std::string& prefix);

NamedTensors values_of(const Binding& binding);  ///< by group; shares memory
void set_values(Binding& binding, const NamedTensors& values);

}  // namespace tsrun::training
