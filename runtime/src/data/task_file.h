#pragma once

#include "data/readers.h"
#include "data/template.h"
#include "tsrun/data/task.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tsrun::data {

/// Rule that cuts a text file into documents.
struct DocumentRule {
  std::string cut = "file";  ///< file, line, blank_line, separator
  std::string separator;
};

/// A parsed task.toml. The rows of `task.splits` are still to be read from `files`.
struct TaskFile {
  Task task;
  std::vector<std::string> text;             ///< one or two columns; none where the format has no columns
  std::vector<std::string> labels;           ///< one column; more are further accepted answers of text_to_text
  std::vector<std::string> options;          ///< of multiple_choice: columns, or one that holds lists
  std::optional<Template> prompt;            ///< over `text`
  std::map<std::string, std::string> files;  ///< split name -> file, relative to the task's folder
  TableFormat format;                        ///< of type crossfit or conll, too
  std::optional<std::string> missing;        ///< text of a JSONL cell that is null or absent; without it such a cell is an error
  size_t least_columns = 0;                  ///< of a row without a header: the largest named column; 0: none is named
  DocumentRule documents;
};

/// @throws Error(data) as "`name`:line: …"
TaskFile parse_task_file(std::string_view toml, const std::string& name);

/// Examples of one split, from the bytes of its file. `name` is the file's, for messages.
std::vector<Example> read_split(std::string_view bytes, const TaskFile& file, const std::string& name);

/// Examples from a table's rows.
std::vector<Example> read_examples(Cells cells, const TaskFile& file, const std::string& name);

/// Sets `majority_score`. @pre the split has rows
void score_majority(Split& split, const Task& task);

/// Column names in prompts: the task's columns, or text_a and text_b where no template can spell them; of a multiple_choice also "options",
/// the lettered list.
std::vector<std::string> prompt_columns(const Task& task);

}  // namespace tsrun::data
