#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tsrun {

enum class TaskKind {
  classification,        ///< one of the labels a row
  regression,            ///< one number a row
  token_classification,  ///< one of the labels a word
  multiple_choice,       ///< a prompt and options, one of them right
  text_to_text,          ///< a prompt and accepted answers
  language_modelling     ///< documents
};
std::string_view name_of(TaskKind kind);

struct Example {
  std::string first;  ///< the (first) text; the prompt of multiple_choice and text_to_text; the document of language_modelling
  std::optional<std::string> second;
  double target = 0;                      ///< class index, value of a regression, or index of the right option
  int64_t row = 0;                        ///< 0-based row number in its split
  std::vector<std::string> answers = {};  ///< text_to_text: accepted answers, the first is trained on; multiple_choice: the options
  std::vector<std::string> words = {};    ///< token_classification
  std::vector<int64_t> tags = {};         ///< label index of each word
};

/// Prompt and answers that make text_to_text of a classification, a regression or a multiple choice.
struct Verbaliser {
  /// Column names in braces are replaced by the row's texts: "premise: {text_a} hypothesis: {text_b}". "{{" and "}}" are braces.
  std::string prompt;
  std::vector<std::string> answers;  ///< one a label, in their order; empty for a regression
};

/// Objective of a language model.
enum class Objective { causal, masked };

struct Split {
  std::string name;
  std::vector<Example> examples;
  /// Score of the best constant prediction under the task's first metric: the most frequent class, option number, tag or answer, or the
  /// mean of a regression. NaN for language modelling.
  double majority_score = 0;
  std::string digest;  ///< sha256 of the file's bytes
};

/// A folder with a task.toml (docs/formats.md).
struct Task {
  std::string name;
  TaskKind kind = TaskKind::classification;
  /// Class names in index order; of a text_to_text task that was a classification, their answers in that order. Else empty.
  std::vector<std::string> labels;
  double low = 0, high = 0;              ///< regression range
  std::vector<std::string> metrics;      ///< the first one selects the best checkpoint
  std::map<std::string, Split> splits;   ///< "train", "dev", …
  std::string digest;                    ///< identity in stage keys: task.toml and every split
  std::filesystem::path folder;          ///< empty for a generated task
  std::vector<std::string> columns;      ///< names of the text columns, for prompts
  std::optional<Verbaliser> verbaliser;  ///< of task.toml; `as_text_to_text` has a default
  std::string answer_prefix;             ///< prepended to every answer that is trained on ("<extra_id_0>"); decoding drops it
  std::optional<Objective> objective;    ///< of language_modelling; absent: the model's own
  /// Index in task.toml of each label, where labels are in the order of a model's outputs. Empty: the order of task.toml.
  std::vector<int64_t> class_numbers = {};
  bool has_pairs() const;
  /// Outputs of the head for a row (a word): 1 for a regression, one a label for classifications, 0 for other kinds.
  int64_t outputs() const;
  const Split& split(std::string_view name) const;  ///< @throws Error(user) listing the splits
};

/// @throws Error(data) as "train.tsv:17: …": missing or empty file, wrong column count, a label outside the list, invalid UTF-8, no rows.
Task load_task(const std::filesystem::path& folder);
/// @throws Error(user) naming the nearest, when `wanted` is none of the splits of task `name`
void require_split(const std::string& name, std::string_view wanted, std::span<const std::string> splits);

/// Rows that a limit keeps: a random choice, or one with the split's own shares of the classes (of a regression, of five bins of equal
/// size), to the row.
enum class RowChoice { random, stratified };
/// Keeps `rows` rows of a split, the same for every variant, so that variants differ in the method alone; 0: all. `draw` numbers the
/// choice. No error for a missing split. @throws Error(user) for a stratified choice of a task that has neither classes nor values
void limit_rows(Task& task, const std::string& split, int64_t rows, RowChoice choice = RowChoice::random, int64_t draw = 0);
/// The task with its labels, classes and tags in the order of `names`, where these are its labels (ignoring case); else nothing.
std::optional<Task> in_order_of(const Task& task, const std::vector<std::string>& names);
/// Classes in the order of the labels as classes in the order of task.toml, which metrics count in.
std::vector<double> as_task_classes(const Task& task, std::vector<double> classes);
/// The same task for a model that writes its answers. A text_to_text task is given back as it is; the digest tells the two apart.
/// @throws Error(user) for token_classification and language_modelling
Task as_text_to_text(const Task& task);
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
