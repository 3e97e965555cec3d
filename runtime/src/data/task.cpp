#include "tsrun/data/task.h"

#include "data/task_file.h"
#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/base/hash.h"
#include "tsrun/base/random.h"
#include "tsrun/base/suggest.h"

#include <algorithm>
#include <system_error>

namespace tsrun {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (fs::directory_iterator entry(folder, ignored), end; !ignored && entry != end; entry.increment(ignored)) {
    names.push_back(entry->path().filename().string());
  }
  return names;
}

std::string read_file_of_task(const fs::path& path, const std::string& role) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) {
    data_error("{}: found no such file{}, expected {}", path.string(), did_you_mean(path.filename().string(), names_in(path.parent_path())),
               role);
  }
  return read_text(path);
}

Split load_split(const data::TaskFile& file, const fs::path& path, const std::string& split_name) {
  const std::string bytes = read_file_of_task(path, "the split '" + split_name + "' that task.toml names");
  Split split;
  split.name = split_name;
  split.digest = sha256(bytes);
  split.examples = data::read_split(bytes, file, path.string());
  data::score_majority(split, file.task);
  return split;
}

}  // namespace

std::string_view name_of(TaskKind kind) {
  switch (kind) {
    case TaskKind::classification:
      return "classification";
    case TaskKind::regression:
      return "regression";
    case TaskKind::token_classification:
      return "token_classification";
    case TaskKind::multiple_choice:
      return "multiple_choice";
    case TaskKind::text_to_text:
      return "text_to_text";
    case TaskKind::language_modelling:
      return "language_modelling";
  }
  internal_error("{} is no kind of task", static_cast<int>(kind));
}

int64_t Task::outputs() const {
  if (kind == TaskKind::regression) return 1;
  const bool has_head = kind == TaskKind::classification || kind == TaskKind::token_classification;
  return has_head ? static_cast<int64_t>(labels.size()) : 0;
}

bool Task::has_pairs() const {
  for (const auto& [name, split] : splits) {
    if (!split.examples.empty()) return split.examples.front().second.has_value();
  }
  return false;
}

const Split& Task::split(std::string_view wanted) const {
  std::vector<std::string> names;
  for (const auto& [known, split] : splits) names.push_back(known);
  require_split(name, wanted, names);
  return splits.at(std::string(wanted));
}

void require_split(const std::string& name, std::string_view wanted, std::span<const std::string> splits) {
  if (std::find(splits.begin(), splits.end(), wanted) != splits.end()) return;
  user_error("task '{}' has no split '{}'{}, expected one of {}", name, wanted, did_you_mean(wanted, splits), join_words(splits));
}

Task load_task(const fs::path& folder) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) data_error("{}: found no such folder, expected a folder with a task.toml", folder.string());
  const fs::path description = folder / "task.toml";
  const std::string toml = read_file_of_task(description, "a task description");
  data::TaskFile file = data::parse_task_file(toml, description.string());
  Sha256 digest;
  digest.update(toml);
  for (const auto& [name, path] : file.files) {
    Split split = load_split(file, folder / path, name);
    digest.update(name).update(split.digest);
    file.task.splits[name] = std::move(split);
  }
  file.task.digest = digest.hex();
  file.task.folder = folder;
  return std::move(file.task);
}

}  // namespace tsrun
