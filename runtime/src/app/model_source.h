#pragma once

#include "app/command_line.h"
#include "tsrun/model/model.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace tsrun {

/// A model's folder, and the weights that a training put in the place of the folder's own.
struct ModelSource {
  std::filesystem::path folder;
  std::optional<std::filesystem::path> weights;
  nlohmann::json handle = nlohmann::json::object();  ///< of the training's model, with its deltas
  std::string name = {};                             ///< as the user called it, for log lines
};

/// A folder as it is, from the hub cache, made here the first time, or what a training left.
ModelSource source_of(const Command& command, const std::string& model);
Reader reader_of(const ModelSource& source);
Model load(const Command& command, const ModelSource& source, const HeadSpec& head);

/// What `--set` gave, as JSON: numbers, booleans and lists where it reads so, else text.
nlohmann::json typed_values(const std::map<std::string, std::string>& given);

}  // namespace tsrun
