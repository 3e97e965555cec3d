#pragma once

#include "tsrun/base/options.h"
#include "tsrun/data/task.h"
#include "tsrun/model/family.h"

#include <string>
#include <vector>

/// Options without effect: given, but not read.
namespace tsrun {

struct Idle {
  std::string option, reason;
};
/// Options of `train_options()` that differ from their default although this training does not read them.
std::vector<Idle> idle_options(const Options& options, const HeadSpec& head, const Task& task);
/// The same of `text_options()`, for evaluations.
std::vector<Idle> idle_text_options(const Options& reading, const Task& task);
/// @throws Error(user) naming the first of `idle`
void refuse_idle(const std::vector<Idle>& idle, const Options& options, const Task& task);

/// @throws Error(user) for an option of `text_options()` that differs from its default although no evaluation of such a task reads it
void require_read(const Options& reading, const Task& task);

}  // namespace tsrun
