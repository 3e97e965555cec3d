#pragma once

#include "tsrun/base/files.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

/// Artifacts by the hash of their stage: a stage is computed once and then read, by this process or any other.
namespace tsrun {

/// Identity of a stage: its kind and all inputs that decide its bytes.
struct StageKey {
  std::string kind;             ///< "train", "subspace", "mask", "model", …
  nlohmann::json inputs;        ///< options, seed, keys of input artifacts
  nlohmann::json made_by = {};  ///< operation and its version, tsrun, torch, device; Lab::stage fills it in
  std::string digest() const;   ///< sha256 of the canonical JSON
};

struct Artifact {
  std::string kind, key;
  std::filesystem::path path;  ///< objects/<kind>/<key>/
  nlohmann::json meta;         ///< artifact.json: inputs, summary, time, memory, host, made_by
};

/// Folder: objects/<kind>/<key>/ (complete or absent), work/<key>/ (checkpoints of a running stage), locks/<key>. Several processes may use
/// one store; in a process, one thread.
class Store {
 public:
  enum class Access { read, write };
  /// @throws Error(run) when the folder cannot be created or written (Access::read: touches nothing and needs no folder).
  explicit Store(std::filesystem::path folder, Access access = Access::write);
  const std::filesystem::path& folder() const { return folder_; }
  std::optional<Artifact> find(const StageKey& key) const;
  /// An artifact by kind and digest, for handles in a recipe. @throws Error(data)
  Artifact get(const std::string& kind, const std::string& digest) const;
  /// Its artifact.json with time and memory; null when there is none.
  nlohmann::json record(const std::string& kind, const std::string& digest) const;

  /// Finds the artifact, or makes it under its lock: `make(out, work)` writes files into `out` and returns the summary.
  /// A field "measured" of it is kept apart, beside time and memory: it may differ between runs, and no handle has it.
  /// Returns nullopt when another process holds the lock and `wait` is false. `work` survives an interrupt, a kill and a full disk, for the
  /// next attempt to resume; it is removed with the commit, or when the stage refused its input.
  using Make = std::function<nlohmann::json(const std::filesystem::path& out, const std::filesystem::path& work)>;
  std::optional<Artifact> compute(const StageKey& key, bool wait, const Make& make);

 private:
  std::filesystem::path folder_;
};

}  // namespace tsrun
