#include "data/task_kinds.h"

#include "data/task_columns.h"
#include "tsrun/base/error.h"

#include <array>

namespace tsrun::data {
namespace {

using enum TaskKind;
constexpr std::array kKinds = {classification, regression, token_classification, multiple_choice, text_to_text, language_modelling};

void read_options(const TaskSection& section, TaskFile& file) {
  constexpr std::string_view kExpected = "a list of two or more columns, or one column of JSONL lists";
  const toml::node& node = section.require("options", kExpected);
  file.options = section.columns(node, "options", kExpected);
  if (file.options.empty()) section.wrong(node, "options", "[]", kExpected);
  if (file.options.size() == 1 && (node.is_array() || file.format.type != "jsonl")) section.wrong(node, "options", "1 column", kExpected);
  for (const std::string& name : file.options) {
    if (name == file.labels.front()) section.wrong(node, "options", "'" + name + "', which is the label column", "another column");
  }
}

void read_text_to_text(const TaskSection& section, TaskFile& file) {
  read_columns(section, file);
  read_prompt(section, file);
  if (const toml::node* prefix = section.find("answer_prefix"))
    file.task.answer_prefix = section.any_text(*prefix, "answer_prefix", "a text");
  if (section.find("labels")) section.refuse("range", "labels are given");
  if (section.find("labels")) read_labels(section, file.task);
  if (section.find("range")) read_range(section, file.task);
}

void read_multiple_choice(const TaskSection& section, TaskFile& file) {
  read_columns(section, file);
  read_options(section, file);
  if (section.find("labels")) file.task.labels = section.names("labels", 2, "a list of two or more different option names");
  if (!file.task.labels.empty() && file.options.size() > 1 && file.task.labels.size() != file.options.size())
    section.wrong(section.require("labels", ""), "labels", std::to_string(file.task.labels.size()) + " names",
                  std::to_string(file.options.size()) + ", one an option");
  read_prompt(section, file);
  read_verbaliser(section, file.task);
}

void read_language_modelling(const TaskSection& section, TaskFile& file) {
  static const std::vector<std::string> cuts = {"file", "line", "blank_line"};
  const toml::node* separator = section.find("separator");
  if (separator) section.refuse("documents", "a separator is given");
  if (separator) file.documents = {"separator", section.text(*separator, "separator", "a text between documents")};
  if (const toml::node* cut = section.find("documents")) file.documents.cut = section.choice(*cut, "documents", cuts);
  if (const toml::node* objective = section.find("objective")) {
    const bool masked = section.choice(*objective, "objective", {"causal", "masked"}) == "masked";
    file.task.objective = masked ? Objective::masked : Objective::causal;
  }
  file.task.columns = {"text"};
}

}  // namespace

const std::vector<std::string>& kind_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const TaskKind kind : kKinds) all.emplace_back(name_of(kind));
    return all;
  }();
  return names;
}

TaskKind kind_of(std::string_view name) {
  for (const TaskKind kind : kKinds) {
    if (name_of(kind) == name) return kind;
  }
  internal_error("'{}' is no kind of task", name);
}

std::vector<std::string> keys_of(TaskKind kind) {
  switch (kind) {
    case classification:
    case regression:
      return {"name", "kind", "text", "label", "labels", "range", "metrics", "splits", "format", "verbaliser"};
    case token_classification:
      return {"name", "kind", "text", "label", "labels", "metrics", "splits", "format"};
    case multiple_choice:
      return {"name", "kind", "text", "options", "label", "labels", "prompt", "metrics", "splits", "format", "verbaliser"};
    case text_to_text:
      return {"name", "kind", "text", "label", "labels", "range", "prompt", "answer_prefix", "metrics", "splits", "format"};
    case language_modelling:
      break;
  }
  return {"name", "kind", "documents", "separator", "objective", "metrics", "splits"};
}

void read_kind_keys(const TaskSection& section, TaskFile& file) {
  Task& task = file.task;
  if (task.kind == language_modelling) return read_language_modelling(section, file);
  if (task.kind == text_to_text) return read_text_to_text(section, file);
  if (task.kind == multiple_choice) return read_multiple_choice(section, file);
  read_columns(section, file);
  if (task.kind == classification) section.refuse("range", "a classification has labels");
  if (task.kind == regression) section.refuse("labels", "a regression has a range");
  task.kind == regression ? read_range(section, task) : read_labels(section, task);
  if (task.kind != token_classification) read_verbaliser(section, task);
}

}  // namespace tsrun::data
