#include <algorithm>
#include <cerrno>
#include <chrono>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/fault.h"
#include "tsrun/base/durable_file.h"
#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/base/hash.h"

namespace tsrun {
namespace {

namespace fs = std::filesystem;

constexpr const char* manifest_name = "manifest.json";
constexpr const char* owner_name = ".owner";  // locked by the writer of a temporary folder; not part of what is committed

std::vector<fs::path> files_of(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file() && entry.path().filename() != owner_name) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

nlohmann::json manifest_of(const fs::path& folder) {
  nlohmann::json files = nlohmann::json::object();
  for (const fs::path& file : files_of(folder)) {
    files[fs::relative(file, folder).generic_string()] = {{"size", fs::file_size(file)}, {"sha256", sha256_file(file)}};
  }
  return {{"format", 1}, {"files", std::move(files)}};
}

void sync_tree(const fs::path& folder) {
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file() || entry.is_directory()) sync_path(entry.path());
  }
}

std::optional<std::string> file_damage(const fs::path& file, const std::string& name, const nlohmann::json& promised, bool deep) {
  if (!promised.is_object() || !promised.contains("size") || !promised.contains("sha256") || !promised["size"].is_number_unsigned()) {
    return fmt::format("{}: the entry of '{}' has no size or digest", manifest_name, name);
  }
  std::error_code error;
  const auto size = fs::file_size(file, error);
  if (error) return fmt::format("'{}' is missing", name);
  if (size != promised["size"].get<uintmax_t>())
    return fmt::format("'{}' has {} bytes, its manifest says {}", name, size, promised["size"].dump());
  if (deep && sha256_file(file) != promised["sha256"].get<std::string>()) return fmt::format("'{}' differs from its digest", name);
  return std::nullopt;
}

}  // namespace

DurableFolder::DurableFolder(fs::path target) : target_(std::move(target)) {
  if (!target_.has_filename()) target_ = target_.parent_path();
  make_folders(target_.parent_path());
  while (!owner_) {  // somebody may take a fresh temporary for a stale one before it is locked: then another is made
    temporary_ = temporary_beside(target_);
    if (base::fault_point()) cannot_write(target_, errno);
    make_folders(temporary_);
    owner_ = FileLock::try_lock(temporary_ / owner_name);
  }
}

DurableFolder::~DurableFolder() {
  std::error_code ignored;
  if (!committed_) fs::remove_all(temporary_, ignored);
}

void DurableFolder::commit() {
  if (committed_) internal_error("{}: committed twice", target_.string());
  try {
    sync_tree(temporary_);
    write_durable(temporary_ / manifest_name, manifest_of(temporary_).dump(2) + "\n");
    fs::remove(temporary_ / owner_name);
  } catch (const fs::filesystem_error& error) {
    cannot_write(target_, error.code().value());
  }
  if (base::fault_point()) cannot_write(target_, errno);
  if (rename(temporary_.c_str(), target_.c_str()) != 0) {
    if (errno != EEXIST && errno != ENOTEMPTY && errno != ENOTDIR) cannot_write(target_, errno);
    if (!folder_damage(target_)) return;  // somebody was first; the destructor removes ours
    const fs::path damaged = temporary_beside(target_);
    if (rename(target_.c_str(), damaged.c_str()) != 0 || rename(temporary_.c_str(), target_.c_str()) != 0) cannot_write(target_, errno);
    std::error_code ignored;
    fs::remove_all(damaged, ignored);
  }
  committed_ = true;
  sync_path(target_.parent_path());
}

std::optional<std::string> folder_damage(const fs::path& folder, bool deep) {
  const fs::path path = folder / manifest_name;
  if (!fs::is_regular_file(path)) return fmt::format("no {}", manifest_name);
  try {
    const nlohmann::json manifest = read_json(path);
    if (!manifest.is_object() || !manifest.contains("files") || !manifest["files"].is_object())
      return fmt::format("{}: no table 'files'", manifest_name);
    for (const auto& [name, promised] : manifest["files"].items()) {
      if (auto damage = file_damage(folder / name, name, promised, deep)) return damage;
    }
  } catch (const Error& error) {
    return error.what();
  }
  return std::nullopt;
}

void remove_stale_temporaries(const fs::path& parent) {
  using namespace std::chrono_literals;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(parent, ignored)) {
    if (!is_temporary(entry.path())) continue;
    const bool folder = entry.is_directory(ignored);
    const fs::path owner = folder ? entry.path() / owner_name : entry.path();
    if (!fs::exists(owner, ignored)) {  // between creation and lock, or between unlock and rename: leave it until it is surely abandoned
      const auto changed = fs::last_write_time(entry.path(), ignored);
      if (!ignored && fs::file_time_type::clock::now() - changed > 1h) fs::remove_all(entry.path(), ignored);
      continue;
    }
    const int descriptor = open(owner.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) continue;
    if (flock(descriptor, LOCK_EX | LOCK_NB) == 0) fs::remove_all(entry.path(), ignored);
    close(descriptor);
  }
}

}  // namespace tsrun
