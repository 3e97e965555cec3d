#include "tsrun/train/run_state.h"

#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/base/log.h"
#include "tsrun/checkpoint/safetensors.h"
#include "tsrun/model/model.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

namespace tsrun {
namespace {

namespace fs = std::filesystem;

/// Checkpoint folders of `work`, newest first. Step numbers are padded, longer names are later.
std::vector<fs::path> state_folders(const fs::path& work) {
  std::vector<fs::path> folders;
  if (!fs::is_directory(work)) return folders;
  for (const auto& entry : fs::directory_iterator(work)) {
    const std::string name = entry.path().filename().string();
    const bool digits = name.size() >= 11 && name.find_first_not_of("0123456789", 5) == std::string::npos;
    if (entry.is_directory() && name.starts_with("step-") && digits) folders.push_back(entry.path());
  }
  std::sort(folders.begin(), folders.end(), [](const fs::path& a, const fs::path& b) {
    const std::string left = a.filename().string(), right = b.filename().string();
    return left.size() != right.size() ? left.size() > right.size() : left > right;
  });
  return folders;
}

void remove_old(const fs::path& work, size_t keep) {
  const auto folders = state_folders(work);
  for (size_t i = keep; i < folders.size(); ++i) {
    std::error_code ignored;  // a folder that cannot be removed costs space, not correctness
    fs::remove_all(folders[i], ignored);
  }
}

std::string shown(const nlohmann::json* value) {
  if (!value) return "absent";
  std::string text = value->dump();
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

void compare(const nlohmann::json* there, const nlohmann::json* here, const std::string& path, std::vector<std::string>& differences) {
  if (there && here && *there == *here) return;
  if (!there || !here || !there->is_object() || !here->is_object()) {
    differences.push_back(fmt::format("{}: {} there, {} here", path, shown(there), shown(here)));
    return;
  }
  const auto below = [&](const std::string& name) { return path.empty() ? name : path + "." + name; };
  for (const auto& [name, value] : there->items())
    compare(&value, here->contains(name) ? &here->at(name) : nullptr, below(name), differences);
  for (const auto& [name, value] : here->items()) {
    if (!there->contains(name)) compare(nullptr, &value, below(name), differences);
  }
}

/// "lr_scheduler_type: linear there, cosine here; …": the first differences of two JSON values, by path.
std::string json_difference(const nlohmann::json& there, const nlohmann::json& here) {
  constexpr size_t kShown = 5;
  std::vector<std::string> differences;
  compare(&there, &here, "", differences);
  const size_t more = differences.size() > kShown ? differences.size() - kShown : 0;
  differences.resize(differences.size() - more);
  return fmt::format("{}{}", fmt::join(differences, "; "), more > 0 ? fmt::format("; and {} more", more) : "");
}

}  // namespace

bool save_run_state(const fs::path& work, const nlohmann::json& identity, const Checkpoint& run, size_t keep) {
  fs::create_directories(work);
  const fs::path target = work / fmt::format("step-{:06}", run.step);
  if (fs::exists(target)) {
    if (!folder_damage(target)) return false;
    fs::remove_all(target);
  }
  DurableFolder folder(target);
  write_tensors(folder.path() / "tensors.safetensors", run.tensors);
  write_durable(folder.path() / "state.json", nlohmann::json{{"step", run.step}, {"identity", identity}, {"state", run.state}}.dump());
  folder.commit();
  remove_old(work, keep);
  return true;
}

std::optional<Checkpoint> newest_run_state(const fs::path& work, const nlohmann::json& identity) {
  if (fs::is_directory(work)) remove_stale_temporaries(work);
  for (const auto& folder : state_folders(work)) {
    if (const auto damage = folder_damage(folder, /*deep=*/true)) {
      log_warning("{}: damaged checkpoint skipped: {}", folder.string(), *damage);
      continue;
    }
    const auto header = read_json(folder / "state.json");
    if (header.at("identity") != identity) {
      user_error("{}: this checkpoint belongs to a run with other options ({}). Give the same options, or remove '{}' to start anew",
                 folder.string(), json_difference(header.at("identity"), identity), work.string());
    }
    return Checkpoint{header.at("step").get<int64_t>(), header.at("state"), map_tensors(folder / "tensors.safetensors")};
  }
  return std::nullopt;
}

}  // namespace tsrun
