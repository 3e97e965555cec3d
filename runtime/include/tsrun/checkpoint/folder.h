#pragma once

#include "tsrun/checkpoint/safetensors.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace tsrun {

/// Folder of a model specification: a path, or `hf:<repo id>[@revision]` in the local hub cache
/// ($HF_HUB_CACHE, $HF_HOME/hub, ~/.cache/huggingface/hub: models--org--name/snapshots/<commit>, refs/main). Never the network.
/// @throws Error(data) listing repositories of the cache with near names.
std::filesystem::path resolve_model_folder(const std::string& specification);

/// A Hugging Face model folder: config.json and the weights as `model.safetensors` or a sharded `model.safetensors.index.json`.
class CheckpointFolder {
 public:
  /// @throws Error(data): no folder, no config.json, malformed JSON, only a pickle (with the command that converts it),
  ///         a shard that the index names and the folder lacks, a tensor in no shard or in two.
  static CheckpointFolder open(const std::filesystem::path& folder);
  const std::filesystem::path& path() const { return path_; }
  const nlohmann::json& config() const { return config_; }
  /// All tensors of all shards; each keeps its memory map.
  std::vector<TensorInfo> tensors() const;
  /// The files read: config.json, the weights, and the index of shards.
  std::vector<std::filesystem::path> files() const;
  /// sha256 over the contents of `files`: the identity of config and weights, without the tokenizer.
  std::string digest() const;

 private:
  std::filesystem::path path_;
  nlohmann::json config_;
  std::vector<SafetensorsFile> shards_;
};

/// Refuses a pickle at `path` (.bin, .pt, .pth, .ckpt or pickle/zip magic) with the line of Python that converts it; returns otherwise.
void refuse_pickle(const std::filesystem::path& path);

}  // namespace tsrun
