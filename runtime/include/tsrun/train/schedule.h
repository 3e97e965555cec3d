#pragma once

#include <cstdint>

namespace tsrun {

/// Shape of the learning rate over the steps; linear and cosine end at 0.
enum class LrScheduler { linear, cosine, constant };

/// Share `ratio` of `steps`, rounded up.
int64_t warmup_steps(double ratio, int64_t steps);
/// Multiplier of the learning rate at `step` (from 0) of `steps`; it rises from 0 over the first `warmup`.
double schedule_factor(LrScheduler scheduler, int64_t step, int64_t steps, int64_t warmup);

/// Sum of the multipliers of the first `taken` of `steps`: how many steps at the full rate they are worth.
double schedule_sum(LrScheduler scheduler, int64_t steps, int64_t warmup, int64_t taken);

}  // namespace tsrun
