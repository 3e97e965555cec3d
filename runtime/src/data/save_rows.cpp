#include "data/save_task.h"
#include "tsrun/base/error.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace tsrun::data {
namespace {

using OrderedJson = nlohmann::ordered_json;

OrderedJson json_row(const Task& task, const Example& example, const SavedColumns& columns) {
  const std::string& text = columns.texts.front();
  OrderedJson row;
  if (task.kind == TaskKind::token_classification) {
    std::vector<std::string> tags;
    for (const int64_t tag : example.tags) tags.push_back(saved_label(task, static_cast<double>(tag)));
    row = {{text, example.words}, {columns.label, tags}};
  } else if (task.kind == TaskKind::multiple_choice) {
    row = {{text, example.first}, {columns.options, example.answers}};
    row[columns.label] = static_cast<int64_t>(example.target);
    if (!task.labels.empty()) row[columns.label] = saved_label(task, example.target);
  } else {
    row = {{text, example.first}, {columns.label, example.answers}};
  }
  return row;
}

template <class Test>
bool any_document(const Task& task, const Test& test) {
  for (const auto& [name, split] : task.splits) {
    if (std::any_of(split.examples.begin(), split.examples.end(), [&](const Example& example) { return test(example.first); })) return true;
  }
  return false;
}

std::string unused_separator(const Task& task) {
  std::string separator = "<|endoftext|>";
  for (int number = 1; any_document(task, [&](const std::string& text) { return text.find(separator) != std::string::npos; }); ++number)
    separator = fmt::format("<|endoftext_{}|>", number);
  return separator;
}

}  // namespace

std::string saved_label(const Task& task, double target) {
  if (task.kind == TaskKind::regression) return fmt::format("{}", target);
  const auto index = static_cast<size_t>(target);
  if (index >= task.labels.size()) internal_error("task '{}' has {} labels, found the class {}", task.name, task.labels.size(), target);
  return task.labels[index];
}

std::string json_lines_of(const Task& task, const Split& split, const SavedColumns& columns) {
  std::string out;
  for (const Example& example : split.examples)
    out += json_row(task, example, columns).dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + '\n';
  return out;
}

SavedDocuments documents_to_save(const Task& task) {
  SavedDocuments saved;
  const bool single =
      std::all_of(task.splits.begin(), task.splits.end(), [](const auto& item) { return item.second.examples.size() == 1; });
  if (!single) saved.separator = unused_separator(task);
  // A line end before a separator belongs to it, so a document that ends in CR needs a whole CRLF behind it.
  const bool returns = any_document(task, [](const std::string& text) { return text.ends_with('\r'); });
  const std::string line_end = returns ? "\r\n" : "\n";
  for (const auto& [name, split] : task.splits) {
    std::string& text = saved.texts[name];
    for (const Example& example : split.examples) text += single ? example.first : example.first + line_end + saved.separator + line_end;
  }
  return saved;
}

}  // namespace tsrun::data
