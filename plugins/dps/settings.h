#pragma once

#include "tsrun/base/options.h"
#include "tsrun/tune/scope.h"

namespace tsrun::dps {

OptionTable option_table();

/// The options of one training.
struct Settings {
  bool mix = false;
  double frozen_share = 0.3;
  int64_t stage_steps = 1;
  bool global = false;            ///< one ranking over all tensors
  bool random_scores = false;     ///< a random subnetwork in place of that of the largest scores
  bool element_noise = false;     ///< else one draw a column of inputs
  bool rescale_gradient = false;  ///< 1/(1-p) in the backward pass of mixed weights
  bool amplified = true;          ///< stage II of Mix multiplies movements by 1/(1-p)
  int64_t penalty_steps = 50;     ///< shortest stage whose scores are penalised by frequency; 0: none is
  bool dropout = false;
  bool micro_batch_squares = false;
  bool keep_ties = false;
  Freeze freeze = Freeze::gradient;

  /// @throws Error(user) for a Mix of frozen share 1
  Settings(const Options& options, int64_t planned_steps);
  /// Stage I gathers statistics, stage II trains the subnetwork. `step` counts from 0.
  bool gathers(int64_t step) const { return step / stage_steps % 2 == 0; }
  bool begins_stage(int64_t step) const { return step % stage_steps == 0; }
  bool ends_stage(int64_t step, int64_t planned) const { return (step + 1) % stage_steps == 0 || step + 1 == planned; }
};

}  // namespace tsrun::dps
