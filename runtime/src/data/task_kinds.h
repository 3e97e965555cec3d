#pragma once

#include "data/task_file.h"
#include "data/task_sections.h"

#include <string>
#include <vector>

/// Differences between the kinds of a task.toml.
namespace tsrun::data {

const std::vector<std::string>& kind_names();
/// @throws Error(internal) when `name` is no kind
TaskKind kind_of(std::string_view name);

/// Keys of the root table, in the order in which messages list them.
std::vector<std::string> keys_of(TaskKind kind);

/// Reads the kind's keys: columns, labels, range, prompts, documents. @pre task.kind and format are set
void read_kind_keys(const TaskSection& section, TaskFile& file);

}  // namespace tsrun::data
