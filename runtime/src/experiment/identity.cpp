#include "experiment/identity.h"

#include "experiment/peft.h"
#include "tsrun/base/error.h"
#include "tsrun/base/hash.h"
#include "tsrun/checkpoint/folder.h"
#include "tsrun/text/tokenizer.h"

#include <sys/stat.h>

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <set>

namespace tsrun::experiment {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// A file's state, as the file system records it.
struct Stamp {
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = 0;
  int64_t changed = 0;  ///< nanoseconds
  bool operator==(const Stamp&) const = default;
};

std::optional<Stamp> stamp_of(const fs::path& path) {
  struct stat state {};
  if (::stat(path.c_str(), &state) != 0) return std::nullopt;
  return Stamp{state.st_dev, state.st_ino, state.st_size, int64_t{state.st_ctim.tv_sec} * 1'000'000'000 + state.st_ctim.tv_nsec};
}

/// A file's clock ticks in milliseconds, so two writes may leave one stamp: only older stamps are trusted.
constexpr int64_t kSettled = 2'000'000'000;

int64_t now() { return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count(); }

struct Known {
  Stamp stamp;
  std::string digest;
};

json digests_of(const std::set<fs::path>& files) {
  json digests = json::object();
  for (const fs::path& file : files) digests[file.filename().string()] = file_digest(file);
  return digests;
}

}  // namespace

std::string file_digest(const fs::path& path) {
  static std::mutex mutex;
  static std::map<fs::path, Known> known;
  const std::lock_guard lock(mutex);
  const auto key = fs::absolute(path);
  const auto stamp = stamp_of(key);
  if (const auto found = known.find(key); stamp && found != known.end() && found->second.stamp == *stamp) return found->second.digest;
  std::string digest = sha256_file(path);
  known.erase(key);
  if (stamp && now() - stamp->changed > kSettled && stamp_of(key) == stamp) known[key] = {*stamp, digest};
  return digest;
}

json model_files(const fs::path& folder) {
  std::set<fs::path> files;
  for (const fs::path& file : CheckpointFolder::open(folder).files()) files.insert(file);
  for (const fs::path& file : tokenizer_files(folder)) files.insert(file);
  return digests_of(files);
}

std::string model_digest(const fs::path& folder) { return sha256(model_files(folder).dump()); }

json peft_files(const fs::path& folder) { return digests_of({folder / peft_config_file, folder / peft_values_file}); }

json keyed(const Options& options, const std::vector<std::string>& files) {
  json values = options.json();
  for (const std::string& file : files)
    if (options.has(file)) values[file] = file_digest(options.text(file));
  return values;
}

void require_unchanged(const ModelRef& model) {
  if (!model.content) return;
  const std::string found = model_digest(model.folder());
  if (*model.content != found)
    data_error("{}: the model's files are no longer those that it was used with (digest {:.8}, found {:.8}): run the recipe again",
               model.folder(), *model.content, found);
}

}  // namespace tsrun::experiment
