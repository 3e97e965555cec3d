#pragma once

#include <ATen/core/Tensor.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace tsrun {

/// A training between two steps. `state` and `tensors` are everything that is not a function of the step and the training's options.
struct Checkpoint {
  int64_t step = 0;
  nlohmann::json state;
  std::map<std::string, at::Tensor> tensors;
};

/// Writes `work`/step-000123 durably, with `identity` (what decides the training's bytes), and removes all but the newest `keep`.
/// False, and nothing is written, when a whole state of this step is there already.
bool save_run_state(const std::filesystem::path& work, const nlohmann::json& identity, const Checkpoint& run, size_t keep = 2);

/// The newest state in `work` that is whole; damaged ones are skipped with a warning. Its tensors lie in the file: copy what is to change.
/// @throws Error(user) with the differences when that state was made under another identity.
std::optional<Checkpoint> newest_run_state(const std::filesystem::path& work, const nlohmann::json& identity);

}  // namespace tsrun
