#pragma once

#include <ATen/core/Tensor.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace tsrun::joint_decomposition {

using Tensors = std::map<std::string, at::Tensor>;

/// Named tensors as one durable file, and mapped again (float32 in place).
void write_tensors(const std::filesystem::path& path, const Tensors& tensors);
Tensors map_tensors(const std::filesystem::path& path);

/// What a stopped training needs to go on, in a folder: "step-N" with tensors and a table, and beside it the decoders of the best
/// state so far, "kept-N.safetensors". Without a folder nothing is saved.
class SavedRuns {
 public:
  SavedRuns(std::filesystem::path work, nlohmann::json identity) : work_(std::move(work)), identity_(std::move(identity)) {}
  bool active() const { return !work_.empty(); }
  std::filesystem::path kept_file(int64_t step) const;

  struct Saved {
    nlohmann::json state;
    Tensors tensors;  ///< mapped
  };
  /// @throws Error(user) when the newest state is of a run with other inputs or options.
  std::optional<Saved> newest() const;
  /// Replaces what was saved before, and removes kept files but that of `kept_step` (none when negative).
  void save(int64_t step, int64_t kept_step, const nlohmann::json& state, const Tensors& tensors) const;

 private:
  std::filesystem::path work_;
  nlohmann::json identity_;
};

}  // namespace tsrun::joint_decomposition
