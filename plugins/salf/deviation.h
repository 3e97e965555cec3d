#pragma once

#include "basis.h"

#include "tsrun/base/options.h"
#include "tsrun/tune/step_events.h"

#include <functional>
#include <vector>

namespace tsrun::salf {

/// Deviations of the latent spaces of a model from the labels that follow.
struct Deviations {
  std::vector<double> of_space;  ///< mean over positions with a label, for the input of every layer and the output of the last
  int64_t positions = 0;
  int first_layer = 0;  ///< space i is the input of layer `first_layer` + i
};

/// `deviation`, `path`, `temperature` and `read_out` of `options` decide the measure, `rows` and `rows_at_once` the calibration set, drawn
/// under `inputs.key`. Independent of the order and the batches of its rows, up to rounding. @throws Error(user) where states and labels
/// have no common width
Deviations deviations_of(const MethodInputs& inputs, const LabelBasis& basis, const Options& options);

OptionTable deviation_options();

/// Calls `seen` with the states behind the labels of every batch of the calibration set; batches without a label are left out.
void each_batch(const MethodInputs& inputs, const Options& options, const std::function<void(const Probe::LabelStates&)>& seen);

}  // namespace tsrun::salf
