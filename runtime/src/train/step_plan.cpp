#include "train/step_plan.h"

#include <algorithm>

namespace tsrun::training {

StepPlan::StepPlan(const TrainSettings& settings, int64_t rows, Key data_order, bool streams)
    : sampler_(data_order, rows, settings.batch_size), accumulation_(settings.gradient_accumulation_steps) {
  steps_per_epoch_ = (sampler_.batches_per_epoch() + accumulation_ - 1) / accumulation_;
  if (streams) streams_.emplace(rows, settings.batch_size);
  steps_ = settings.max_steps > 0 ? settings.max_steps : settings.epochs * steps_per_epoch_;
}

double StepPlan::epoch_at(int64_t step) const { return static_cast<double>(step) / static_cast<double>(steps_per_epoch_); }

bool StepPlan::ends_epoch(int64_t step) const { return step % steps_per_epoch_ == 0; }

std::vector<std::vector<int64_t>> StepPlan::micro_batches(int64_t step) {
  const int64_t epoch = step / steps_per_epoch_;
  const int64_t first = step % steps_per_epoch_ * accumulation_;
  const int64_t last = std::min(first + accumulation_, sampler_.batches_per_epoch());
  std::vector<std::vector<int64_t>> batches;
  for (int64_t index = first; index < last; ++index) {
    if (streams_) {
      batches.push_back(streams_->batch(index));
      continue;
    }
    const auto rows = sampler_.batch(epoch, index);
    batches.emplace_back(rows.begin(), rows.end());
  }
  return batches;
}

}  // namespace tsrun::training
