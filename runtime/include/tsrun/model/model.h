#pragma once

#include "tsrun/checkpoint/safetensors.h"
#include "tsrun/model/family.h"
#include "tsrun/model/generation_config.h"
#include "tsrun/text/tokenizer.h"

#include <filesystem>
#include <map>
#include <memory>
#include <string>

namespace tsrun {

/// A model ready to use: family, weights, tokenizer, and where it came from.
struct Model {
  std::shared_ptr<const Family> family;
  std::shared_ptr<const Tokenizer> tokenizer;
  Weights weights;                       ///< float32, in the family's parameter order; loaded ones may lie in the file (`as_float32`)
  std::vector<std::string> initialised;  ///< names that the checkpoint lacked (head, pooler) and that were drawn from the key
  GenerationConfig generation;           ///< how its folder says that it writes
  std::vector<std::string> labels;       ///< of the head's outputs, as `save_model` writes them; empty: as config.json says
};

/// Loads a Hugging Face folder for a task head. A `bert.` prefix or its absence is handled; known buffers are skipped; a missing head (or
/// pooler) is initialised under `key.split(name)` and logged. Anything else missing, unexpected or mis-shaped is an error that lists all of
/// it. Log lines name the model `called` (builtin:bert-mini), or the folder. Weights stay unread in their file.
Model load_model(const std::filesystem::path& folder, const HeadSpec& head, Key key, const std::string& called = "");

/// A model with every weight drawn under `key`.
Model initialise_model(const nlohmann::json& config, const HeadSpec& head, std::shared_ptr<const Tokenizer> tokenizer, Key key);

/// Writes config.json, model.safetensors and the tokenizer's files: a folder that transformers loads.
void save_model(const Model& model, const std::filesystem::path& folder);

/// The names in `id2label` of a config.json, in the order of the outputs; empty without a whole table.
std::vector<std::string> label_names(const nlohmann::json& config);

/// Bare named tensors from a Hugging Face folder or a single safetensors file, brought to `family`'s names; only names in `wanted` when
/// given. Tensors are as those of `as_float32`. For trajectories made from checkpoints that somebody has already.
Weights load_weights(const std::filesystem::path& folder_or_file, const Family& family);
void save_weights(const Weights& weights, const std::filesystem::path& file);

/// Moves packed rows to tensors. `head` decides the type of the targets.
PackedBatch to_device(const PackedRows& rows, const HeadSpec& head, at::Device device);

/// A safetensors view as a CPU tensor without a copy, and back. The tensor keeps the file's memory map; bytes that are not in one must
/// outlive it. Its elements are as aligned as the file has them. Nobody should write to it: writes change what others see of this map.
at::Tensor as_tensor(const TensorInfo& info);
TensorInfo as_info(const std::string& name, const at::Tensor& contiguous_cpu_tensor);

/// A mapped tensor as float32: in place where the file holds aligned float32, so that memory is used once it is read, and then shared with
/// other processes; else converted into memory of its own. In place, the limits of MappedFile hold: replace the file, do not write into it.
at::Tensor as_float32(const TensorInfo& info);

/// A whole file of named tensors, written durably (from any device), and mapped again: each as `as_tensor`.
void write_tensors(const std::filesystem::path& file, const std::map<std::string, at::Tensor>& tensors);
std::map<std::string, at::Tensor> map_tensors(const std::filesystem::path& file);

}  // namespace tsrun
