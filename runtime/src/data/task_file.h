#pragma once

#include "tsrun/data/task.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tsrun {

/// What a task.toml says. The rows of `task.splits` are still to be read from `files`.
struct TaskFile {
  Task task;
  std::vector<std::string> text;             ///< one or two columns
  std::string label;                         ///< a column
  std::map<std::string, std::string> files;  ///< split name -> file, relative to the task's folder
  TableFormat format;
};

/// @throws Error(data) as "`name`:line: …"
TaskFile parse_task_file(std::string_view toml, const std::string& name);

/// Examples of one split. `name` is the file's, for messages.
std::vector<Example> read_examples(Table table, const TaskFile& file, const std::string& name);

/// Sets `majority_score`. @pre the split has rows
void score_majority(Split& split, const Task& task);

}  // namespace tsrun
