#pragma once

#include "tsrun/model/family.h"
#include "tsrun/model/generation_config.h"
#include "tsrun/model/tensors.h"
#include "tsrun/text/tokenizer.h"

#include <filesystem>
#include <memory>
#include <string>

namespace tsrun {

/// A model ready to use: family, weights and tokenizer. Threads may read one object at once.
struct Model {
  std::shared_ptr<const Family> family;
  std::shared_ptr<const Tokenizer> tokenizer;
  Weights weights;                       ///< float32, in the family's parameter order; loaded ones may lie in the file (`as_float32`)
  std::vector<std::string> initialised;  ///< parameters that the checkpoint lacked (head, pooler), drawn from the key
  GenerationConfig generation;           ///< of its folder
  std::vector<std::string> labels;       ///< names of the head's outputs for `save_model`; empty: those of config.json
};

/// Loads a Hugging Face folder for a task head. A `bert.` prefix or its absence is handled; known buffers are skipped; a missing head (or
/// pooler) is initialised under `key.split(name)` and logged. Other missing, unexpected or mis-shaped tensors are an error that lists them
/// all. Log lines name the model `called` (builtin:bert-mini), or the folder. Weights stay unread in their file.
Model load_model(const std::filesystem::path& folder, const HeadSpec& head, Key key, const std::string& called = "");

/// A model with every weight drawn under `key`.
Model initialise_model(const nlohmann::json& config, const HeadSpec& head, std::shared_ptr<const Tokenizer> tokenizer, Key key);

/// Writes config.json, model.safetensors and the tokenizer's files: a folder that transformers loads.
void save_model(const Model& model, const std::filesystem::path& folder);

/// Names in `id2label` of a config.json, in the order of the outputs; empty unless it is complete.
std::vector<std::string> label_names(const nlohmann::json& config);

/// Weights from a Hugging Face folder or a single safetensors file under `family`'s names, as those of `as_float32`. For trajectories of
/// existing checkpoints.
Weights load_weights(const std::filesystem::path& folder_or_file, const Family& family);
void save_weights(const Weights& weights, const std::filesystem::path& file);

/// Packed rows as tensors on `device`. `head` decides the type of the targets.
PackedBatch to_device(const PackedRows& rows, const HeadSpec& head, at::Device device);

}  // namespace tsrun
