#pragma once

#include <ATen/core/Tensor.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace tsrun {

/// A run between two steps. `state` and `tensors` are everything that is not a function of the step and the run's options.
struct RunState {
  int64_t step = 0;
  nlohmann::json state;
  std::map<std::string, at::Tensor> tensors;
};

/// Writes `work`/step-000123 durably, with `identity` (what decides the run's bytes), and removes all but the newest two.
void save_run_state(const std::filesystem::path& work, const nlohmann::json& identity, const RunState& run);

/// The newest state in `work` that is whole; damaged ones are skipped with a warning.
/// @throws Error(user) with the differences when that state was made under another identity.
std::optional<RunState> newest_run_state(const std::filesystem::path& work, const nlohmann::json& identity);

/// "lr_scheduler_type: linear there, cosine here; …": the first differences of two JSON values, by path.
std::string json_difference(const nlohmann::json& there, const nlohmann::json& here);

}  // namespace tsrun
