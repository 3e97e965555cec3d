#pragma once

#include "data/task_file.h"
#include "data/task_sections.h"

/// Keys of a task.toml that several kinds share, read into the task or its file.
namespace tsrun::data {

/// `text` and `label`, which a format without columns must not have.
void read_columns(const TaskSection& section, TaskFile& file);
void read_labels(const TaskSection& section, Task& task);
void read_range(const TaskSection& section, Task& task);
/// The prompt template, and the columns it does not use. @pre the columns are read
void read_prompt(const TaskSection& section, TaskFile& file);
/// @pre columns and labels are read
void read_verbaliser(const TaskSection& parent, Task& task);

}  // namespace tsrun::data
