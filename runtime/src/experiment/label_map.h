#pragma once

#include "tsrun/data/task.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <vector>

namespace tsrun::experiment {

/// The class of `target` that each class of `source`, a head's own task, stands for: of the same name (ignoring case), or as `labels` says,
/// a table from labels of `source` to labels of `target`.
/// @throws Error(user) for tasks that are no classifications, labels there are not (with the near miss), and labels left without a class
std::vector<int64_t> label_map(const Task& source, const Task& target, const nlohmann::json& labels);

}  // namespace tsrun::experiment
