#pragma once

#include "tsrun/data/task.h"

#include <map>
#include <string>
#include <vector>

/// Files of `save_task` beside the description.
namespace tsrun::data {

struct SavedColumns {
  std::vector<std::string> texts;
  std::string label, options;
};

/// The label of a target as the table states it. @throws Error(internal) for a class that the task lacks
std::string saved_label(const Task& task, double target);

/// Rows of a multiple_choice, text_to_text or token_classification.
std::string json_lines_of(const Task& task, const Split& split, const SavedColumns& columns);

/// Documents by split, with a separator that none of them holds; no separator where every split is one document.
struct SavedDocuments {
  std::map<std::string, std::string> texts;
  std::string separator;
};
SavedDocuments documents_to_save(const Task& task);

}  // namespace tsrun::data
