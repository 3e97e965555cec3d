#pragma once

#include "tsrun/base/options.h"
#include "tsrun/tune/step_events.h"

#include <map>
#include <string>

namespace tsrun::child_tuning {

/// Options of the child network: parts, p, batches and clipping.
OptionTable fisher_options();

/// The child network: entries of large Fisher information under the weights before training.
struct Child {
  std::map<std::string, at::Tensor> masks;  ///< bool, by parameter, of its shape
  double threshold = 0;                     ///< smallest score inside
  int64_t kept = 0, entries = 0, batches = 0;
};

/// F = mean over batches of the squared gradient, each parameter's gradient clipped on its own before; in training mode, with dropout, over
/// all training rows in an order of the key. Of the entries of all layers together those above the percentile 100 (1 − p) are kept: as many
/// as NumPy's interpolated percentile leaves, ties by index.
/// @throws Error(user) when `options` name no layer, and outside a training
Child child_of(const MethodInputs& inputs, const Options& options);

}  // namespace tsrun::child_tuning
