#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tsrun {

enum class TaskKind { classification, regression };
std::string_view name_of(TaskKind kind);

struct Example {
  std::string first;
  std::optional<std::string> second;
  double target = 0;  ///< class index, or the value of a regression
  int64_t row = 0;    ///< 0-based row number in its split
};

struct Split {
  std::string name;
  std::vector<Example> examples;
  /// Score of answering the commonest class (classification) or the mean (regression) under the task's first metric.
  double majority_score = 0;
  std::string digest;  ///< sha256 of the file's bytes
};

/// A folder with a task.toml (docs/formats.md).
struct Task {
  std::string name;
  TaskKind kind = TaskKind::classification;
  std::vector<std::string> labels;      ///< class names in index order; empty for regression
  double low = 0, high = 0;             ///< regression range
  std::vector<std::string> metrics;     ///< the first one selects the best checkpoint
  std::map<std::string, Split> splits;  ///< "train", "dev", …
  std::string digest;                   ///< identity in stage keys: task.toml and every split
  std::filesystem::path folder;         ///< empty for a generated task
  bool has_pairs() const;
  int64_t outputs() const { return kind == TaskKind::regression ? 1 : static_cast<int64_t>(labels.size()); }
  const Split& split(std::string_view name) const;  ///< @throws Error(user) listing the splits
};

/// @throws Error(data) as "train.tsv:17: …": missing or empty file, wrong column count, a label outside the list, invalid UTF-8, no rows.
Task load_task(const std::filesystem::path& folder);
/// A task.toml over text, for tests and fuzzing: everything but the splits' rows.
Task parse_task(std::string_view toml, const std::string& name);

/// Rows of a delimited or JSONL text. Every error names `name` and the line.
struct TableFormat {
  std::string type = "tsv";  ///< tsv, csv, jsonl
  bool header = true;
  std::string quote;  ///< "" or "\""
};
struct Table {
  std::vector<std::string> columns;  ///< header names, or "1", "2", …
  std::vector<std::vector<std::string>> rows;
  std::vector<int64_t> lines;  ///< 1-based first line of each row
};
Table parse_table(std::string_view text, const TableFormat& format, const std::string& name);

/// Writes a task in the folder form (train.tsv … and task.toml).
void save_task(const Task& task, const std::filesystem::path& folder);

}  // namespace tsrun
