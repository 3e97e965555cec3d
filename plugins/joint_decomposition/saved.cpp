#include "saved.h"

#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/base/log.h"
#include "tsrun/checkpoint/safetensors.h"
#include "tsrun/model/model.h"

#include <algorithm>
#include <cctype>
#include <vector>

namespace tsrun::joint_decomposition {
namespace {

namespace fs = std::filesystem;

/// Entries of `folder` whose names begin with `prefix`, latest first; numbers are padded.
std::vector<fs::path> entries(const fs::path& folder, const std::string& prefix) {
  std::vector<fs::path> found;
  if (!fs::is_directory(folder)) return found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(prefix) && name.size() > prefix.size() && isdigit(static_cast<unsigned char>(name[prefix.size()])))
      found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end(), [](const fs::path& a, const fs::path& b) { return a.filename().string() > b.filename().string(); });
  return found;
}

void remove_others(const std::vector<fs::path>& paths, const fs::path& except) {
  for (const fs::path& path : paths) {
    std::error_code ignored;  // what cannot be removed costs space, not correctness
    if (path != except) fs::remove_all(path, ignored);
  }
}

}  // namespace

void write_tensors(const fs::path& path, const Tensors& tensors) {
  std::vector<TensorInfo> infos;
  for (const auto& [name, tensor] : tensors) infos.push_back(as_info(name, tensor));
  write_safetensors(path, infos);
}

Tensors map_tensors(const fs::path& path) {
  const auto file = SafetensorsFile::open(path);
  Tensors tensors;
  for (const TensorInfo& info : file.tensors()) tensors[info.name] = info.type == DataType::float32 ? as_float32(info) : as_tensor(info);
  return tensors;
}

fs::path SavedRuns::kept_file(int64_t step) const { return work_ / fmt::format("kept-{:012}.safetensors", step); }

std::optional<SavedRuns::Saved> SavedRuns::newest() const {
  if (!active() || !fs::is_directory(work_)) return std::nullopt;
  remove_stale_temporaries(work_);
  for (const fs::path& folder : entries(work_, "step-")) {
    if (const auto damage = folder_damage(folder)) {
      log_warning("{}: damaged state skipped: {}", folder.string(), *damage);
      continue;
    }
    const nlohmann::json saved = read_json(folder / "state.json");
    if (saved.at("identity") != identity_)
      user_error("{}: this state belongs to a decomposition with other inputs or options; remove '{}' to start anew", folder.string(),
                 work_.string());
    return Saved{saved.at("state"), map_tensors(folder / "tensors.safetensors")};
  }
  return std::nullopt;
}

void SavedRuns::save(int64_t step, int64_t kept_step, const nlohmann::json& state, const Tensors& tensors) const {
  if (!active()) return;
  fs::create_directories(work_);
  const fs::path target = work_ / fmt::format("step-{:012}", step);
  if (fs::exists(target)) {
    if (!folder_damage(target)) return;  // at most an evaluation older than ours, and that is repeated
    fs::remove_all(target);
  }
  DurableFolder folder(target);
  write_tensors(folder.path() / "tensors.safetensors", tensors);
  write_durable(folder.path() / "state.json", nlohmann::json{{"identity", identity_}, {"state", state}}.dump());
  folder.commit();
  remove_others(entries(work_, "step-"), target);
  remove_others(entries(work_, "kept-"), kept_step < 0 ? fs::path() : kept_file(kept_step));
}

}  // namespace tsrun::joint_decomposition
