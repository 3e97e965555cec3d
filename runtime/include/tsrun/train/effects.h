#pragma once

#include "tsrun/base/options.h"
#include "tsrun/data/task.h"
#include "tsrun/model/family.h"

#include <string>
#include <vector>

/// Options of a training that nothing would read.
namespace tsrun {

struct Idle {
  std::string option, reason;
};
/// Options of `train_options()` that are not at their default though this training never reads them.
std::vector<Idle> idle_options(const Options& options, const HeadSpec& head, const Task& task);
/// The same of `reading_options()`, for whatever evaluates.
std::vector<Idle> idle_reading_options(const Options& reading, const Task& task);
/// @throws Error(user) naming the first of `idle`
void refuse_idle(const std::vector<Idle>& idle, const Options& options, const Task& task);

/// @throws Error(user) for an option of `reading_options()` that is not at its default though nothing reads it for such a task
void require_read(const Options& reading, const Task& task);

}  // namespace tsrun
