#include "tsrun/data/builtin.h"

#include "builtin_stories.h"
#include "builtin_tasks.h"
#include "data/task_file.h"
#include "tsrun/base/error.h"
#include "tsrun/base/hash.h"
#include "tsrun/base/suggest.h"

#include <set>

namespace tsrun {
namespace {

using data::builtin::Plan;
using data::builtin::Row;

constexpr std::string_view kVersion = "3";
constexpr std::string_view kPrefix = "builtin:";
constexpr int64_t kTrainRows = 1200, kDevRows = 480;
using Seen = std::set<std::pair<std::string, std::optional<std::string>>>;

const Plan& find_plan(const std::string& bare) {
  for (const Plan& plan : data::builtin::plans()) {
    if (plan.name == bare) return plan;
  }
  std::vector<std::string> known = builtin_task_names();
  known.insert(known.end(), builtin_text_names().begin(), builtin_text_names().end());
  user_error("unknown task '{}{}'{}; the generated tasks are {}", kPrefix, bare, did_you_mean(bare, known), join_words(known));
}

/// Rows with classes in turn, none of them `seen` before; each row has a key of its own.
std::vector<Example> draw_examples(const Plan& plan, Key key, data::builtin::Words words, int64_t count, Seen& seen) {
  const int64_t classes = std::max<int64_t>(1, static_cast<int64_t>(plan.labels.size()));
  std::vector<Example> examples;
  for (uint64_t attempt = 0; static_cast<int64_t>(examples.size()) < count; ++attempt) {
    if (attempt > 100000) internal_error("the generated task {} has fewer than {} different rows", plan.name, count);
    data::builtin::Speaker speaker(key.split(attempt), words);
    const auto number = static_cast<int64_t>(examples.size());
    Row row = plan.make(speaker, static_cast<int>(number % classes));
    if (!seen.emplace(row.first, row.second).second) continue;
    examples.push_back({std::move(row.first), std::move(row.second), row.target, number, {}, {}, {}});
  }
  return examples;
}

std::string digest_of(const std::vector<Example>& examples) {
  Sha256 hash;
  for (const Example& example : examples)
    hash.update(fmt::format("{}\t{}\t{}\n", example.first, example.second.value_or(""), example.target));
  return hash.hex();
}

Split make_split(const Plan& plan, const Task& task, const std::string& name, data::builtin::Words words, int64_t count, Seen& seen) {
  const Key key = Key::root(0).split("builtin task").split(plan.name).split(name);
  Split split;
  split.name = name;
  split.examples = draw_examples(plan, key, words, count, seen);
  data::score_majority(split, task);
  split.digest = digest_of(split.examples);
  return split;
}

}  // namespace

const std::vector<std::string>& builtin_task_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> collected;
    for (const Plan& plan : data::builtin::plans()) collected.emplace_back(plan.name);
    return collected;
  }();
  return names;
}

const std::vector<std::string>& builtin_text_names() {
  static const std::vector<std::string> names = {"stories"};
  return names;
}

Task make_builtin_task(const std::string& name) {
  const std::string bare = name.starts_with(kPrefix) ? name.substr(kPrefix.size()) : name;
  if (bare == builtin_text_names().front()) return data::builtin::stories_task();
  const Plan& plan = find_plan(bare);
  Task task;
  task.name = plan.name;
  task.kind = plan.kind;
  task.labels = plan.labels;
  task.metrics = plan.metrics;
  task.verbaliser = plan.verbaliser;
  if (plan.kind == TaskKind::regression) task.high = 5;
  Seen seen;
  task.splits["train"] = make_split(plan, task, "train", data::builtin::Words::familiar, kTrainRows, seen);
  task.splits["dev"] = make_split(plan, task, "dev", data::builtin::Words::all, kDevRows, seen);
  task.columns = task.has_pairs() ? std::vector<std::string>{"text_a", "text_b"} : std::vector<std::string>{"text_a"};
  task.digest = sha256(fmt::format("builtin {} {} {} {}", kVersion, plan.name, task.splits["train"].digest, task.splits["dev"].digest));
  return task;
}

std::string_view builtin_version() { return kVersion; }

}  // namespace tsrun
