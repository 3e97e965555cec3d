#include "data/task_columns.h"
#include "data/place_error.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace tsrun::data {
namespace {

/// Whether rows come in a form that names no columns.
bool has_no_columns(const TaskFile& file) { return file.format.type == "crossfit" || file.format.type == "conll"; }

void read_text_columns(const TaskSection& section, TaskFile& file) {
  constexpr std::string_view kText = "a list of one or two column names (numbers from 1 when there is no header)";
  const bool one = file.task.kind == TaskKind::token_classification;
  const toml::node& node = section.require("text", kText);
  file.text = section.columns(node, "text", kText);
  if (one && file.text.size() != 1) section.wrong(node, "text", std::to_string(file.text.size()) + " columns", "one column, of the words");
  if (file.text.empty() || file.text.size() > 2) section.wrong(node, "text", std::to_string(file.text.size()) + " columns", kText);
}

void read_label_columns(const TaskSection& section, TaskFile& file) {
  constexpr std::string_view kLabel = "a column name (a number from 1 when there is no header)";
  constexpr std::string_view kAnswers = "a column name or a list of them (numbers from 1 when there is no header)";
  const bool many = file.task.kind == TaskKind::text_to_text;
  const toml::node& label = section.require("label", many ? kAnswers : kLabel);
  file.labels = many ? section.columns(label, "label", kAnswers) : std::vector{section.column(label, "label", kLabel)};
  if (file.labels.empty()) section.wrong(label, "label", "[]", kAnswers);
  for (const std::string& name : file.labels) {
    if (std::find(file.text.begin(), file.text.end(), name) != file.text.end())
      section.wrong(label, "label", "'" + name + "', which is a text column", "another column");
  }
}

Template read_template(const TaskSection& section, const toml::node& node, const std::vector<std::string>& columns) {
  constexpr std::string_view kExpected = "a text with column names in braces";
  const std::string text = section.text(node, "prompt", kExpected);
  try {
    return Template(text, columns);
  } catch (const std::invalid_argument& problem) {
    error_at(section.file(), TaskSection::line(node), "in prompt: {}", problem.what());
  }
}

std::vector<std::string> read_answers(const TaskSection& section, const Task& task) {
  constexpr std::string_view kExpected = "a list of different texts, one a label";
  if (task.kind == TaskKind::regression) section.refuse("answers", "a regression's answers are numbers");
  if (task.kind != TaskKind::classification && !section.find("answers")) return {};
  std::vector<std::string> answers = section.names("answers", 1, kExpected);
  if (task.labels.empty()) section.refuse("answers", "the task lists no labels");
  if (answers.size() != task.labels.size())
    section.wrong(section.require("answers", kExpected), "answers", std::to_string(answers.size()) + " texts",
                  std::to_string(task.labels.size()) + ", one a label");
  return answers;
}

}  // namespace

void read_columns(const TaskSection& section, TaskFile& file) {
  if (has_no_columns(file)) {
    for (const char* key : {"text", "label", "prompt"}) section.refuse(key, "type = \"" + file.format.type + "\" has no columns");
    file.task.columns = {"text"};
    return;
  }
  read_text_columns(section, file);
  read_label_columns(section, file);
  file.task.columns = file.text;
}

void read_labels(const TaskSection& section, Task& task) {
  task.labels =
      section.names("labels", task.kind == TaskKind::classification ? 2 : 1,
                    task.kind == TaskKind::classification ? "a list of two or more different class names" : "a list of different names");
}

void read_range(const TaskSection& section, Task& task) {
  constexpr std::string_view kExpected = "[lowest, highest]";
  const toml::array& range = section.array("range", kExpected);
  const auto low = range.size() == 2 ? range[0].value<double>() : std::nullopt;
  const auto high = range.size() == 2 ? range[1].value<double>() : std::nullopt;
  if (!low || !high || !std::isfinite(*low) || !std::isfinite(*high) || *low >= *high)
    section.wrong(range, "range", "no interval", kExpected);
  task.low = *low;
  task.high = *high;
}

void read_prompt(const TaskSection& section, TaskFile& file) {
  if (const toml::node* node = section.find("prompt")) file.prompt = read_template(section, *node, file.text);
  // Once the columns are woven into one text, that text is all that is left to name.
  if (file.prompt || file.text.size() > 1) file.task.columns = {"prompt"};
}

void read_verbaliser(const TaskSection& parent, Task& task) {
  if (!parent.find("verbaliser")) return;
  const TaskSection section(parent.table("verbaliser", "a table"), parent.file(), {"prompt", "answers"});
  Verbaliser verbaliser;
  const toml::node& prompt = section.require("prompt", "a text with column names in braces");
  verbaliser.prompt = read_template(section, prompt, prompt_columns(task)).text();
  verbaliser.answers = read_answers(section, task);
  task.verbaliser = std::move(verbaliser);
}

}  // namespace tsrun::data
