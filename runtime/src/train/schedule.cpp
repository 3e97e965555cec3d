#include "tsrun/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace tsrun {

int64_t warmup_steps(double ratio, int64_t steps) { return static_cast<int64_t>(std::ceil(ratio * static_cast<double>(steps))); }

double schedule_factor(LrScheduler scheduler, int64_t step, int64_t steps, int64_t warmup) {
  if (step < warmup) return static_cast<double>(step) / static_cast<double>(warmup);
  if (scheduler == LrScheduler::constant) return 1;
  const double left = static_cast<double>(std::max<int64_t>(0, steps - step)) / static_cast<double>(std::max<int64_t>(1, steps - warmup));
  return scheduler == LrScheduler::linear ? left : 0.5 * (1 + std::cos(std::numbers::pi * (1 - left)));
}

double schedule_sum(LrScheduler scheduler, int64_t steps, int64_t warmup, int64_t taken) {
  double sum = 0;
  for (int64_t step = 0; step < std::min(taken, steps); ++step) sum += schedule_factor(scheduler, step, steps, warmup);
  return sum;
}

}  // namespace tsrun
