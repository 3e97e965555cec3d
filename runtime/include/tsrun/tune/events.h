#pragma once

#include "tsrun/model/family.h"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>

/// What happens in a training step, in this order; a plugin acts by overriding the calls it needs.
///
///   weights_about_to_be_used → forward, loss, backward → gradients_ready → update_about_to_be_applied → (optimiser) → … → epoch_ended
namespace tsrun {

/// What a plugin sees. References stay valid during the call only.
struct StepContext {
  int64_t step = 0;   ///< optimiser steps done
  int64_t steps = 0;  ///< optimiser steps planned
  double epoch = 0;
  Key key = Key::root(0);  ///< this step's key; split it by the plugin's name
  const Family* family = nullptr;
  const Weights* origin = nullptr;  ///< θ0
  Weights* weights = nullptr;       ///< what forward uses; replace entries to override them
};

/// Tensors a plugin keeps between steps; saved with every checkpoint and given back on resume, by the trainer.
using PluginState = std::map<std::string, at::Tensor>;

}  // namespace tsrun
