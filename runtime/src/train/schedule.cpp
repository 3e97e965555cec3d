#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"
#include "tsrun/train/optimizer.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace tsrun {
namespace {

const std::vector<std::string>& schedules() {
  static const std::vector<std::string> names = {"linear", "cosine", "constant"};
  return names;
}

}  // namespace

double schedule_factor(const std::string& schedule, int64_t step, int64_t steps, int64_t warmup) {
  if (step < warmup) return static_cast<double>(step) / static_cast<double>(warmup);
  const double left = static_cast<double>(std::max<int64_t>(0, steps - step)) / static_cast<double>(std::max<int64_t>(1, steps - warmup));
  if (schedule == "constant") return 1;
  if (schedule == "linear") return left;
  if (schedule == "cosine") return 0.5 * (1 + std::cos(std::numbers::pi * (1 - left)));
  user_error("unknown schedule '{}'{}; expected {}", schedule, did_you_mean(schedule, schedules()), join_words(schedules()));
}

}  // namespace tsrun
