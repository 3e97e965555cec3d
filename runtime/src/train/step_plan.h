#pragma once

#include "train/streams.h"
#include "tsrun/data/batch.h"
#include "tsrun/train/settings.h"

#include <optional>
#include <vector>

namespace tsrun::training {

/// Rows of each optimiser step: a function of (key, settings, step) alone, so a run can be entered at any step.
class StepPlan {
 public:
  /// `streams`: rows in their own order, a stream a place of the batch; otherwise in a new order in every epoch.
  StepPlan(const TrainSettings& settings, int64_t rows, Key data_order, bool streams = false);

  int64_t steps() const { return steps_; }                                  ///< planned in all
  int64_t steps_per_epoch() const { return steps_per_epoch_; }              ///< the last step of an epoch may be smaller
  double epoch_at(int64_t step) const;                                      ///< epochs completed after `step` steps
  int64_t epoch_of(int64_t step) const { return step / steps_per_epoch_; }  ///< from 0, in which `step` (from 0) falls
  bool ends_epoch(int64_t step) const;                                      ///< whether `step` steps complete an epoch
  /// Row numbers of step `step` (from 0), one entry a forward pass.
  std::vector<std::vector<int64_t>> micro_batches(int64_t step);

 private:
  Sampler sampler_;
  std::optional<Streams> streams_;  ///< as many batches as the sampler
  int64_t accumulation_ = 1, steps_per_epoch_ = 1, steps_ = 0;
};

}  // namespace tsrun::training
