#pragma once

#include <ATen/core/Tensor.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace tsrun::shared_vector {

/// A training between two steps: a file that is there whole or not at all.
struct SavedTraining {
  nlohmann::json progress;
  std::map<std::string, at::Tensor> tensors;
};

/// Writes `work`/training.safetensors durably. `identity` is what decides the training's bytes.
void save_training(const std::filesystem::path& work, const nlohmann::json& identity, const SavedTraining& saved);

/// What was saved; absent where nothing was, or where the file is damaged (which is warned of).
/// @throws Error(user) when it belongs to another identity.
std::optional<SavedTraining> load_training(const std::filesystem::path& work, const nlohmann::json& identity);

}  // namespace tsrun::shared_vector
