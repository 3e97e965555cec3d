#include "data/place_error.h"
#include "data/table_cells.h"
#include "data/targets.h"
#include "data/task_file.h"
#include "tsrun/base/suggest.h"

#include <algorithm>
#include <utility>

namespace tsrun::data {
namespace {

size_t find_column(const Table& table, const std::string& column, const std::string& name) {
  const auto& columns = table.columns;
  const auto found = std::find(columns.begin(), columns.end(), column);
  if (found != columns.end()) return static_cast<size_t>(found - columns.begin());
  error_at(name, 1, "found the columns {}, expected one named '{}'{}", join_words(columns), column, did_you_mean(column, columns));
}

std::vector<size_t> find_columns(const Table& table, const std::vector<std::string>& columns, const std::string& name) {
  std::vector<size_t> places;
  for (const std::string& column : columns) places.push_back(find_column(table, column, name));
  return places;
}

/// Makes examples of the rows of one table.
class ExampleReader {
 public:
  ExampleReader(Cells& cells, const TaskFile& file, const std::string& name)
      : cells_(cells, file.missing, name),
        file_(file),
        name_(name),
        texts_(find_columns(cells.table, file.text, name)),
        labels_(find_columns(cells.table, file.labels, name)),
        options_(find_columns(cells.table, file.options, name)),
        targets_(file.task, name),
        tags_(file.task.labels, name),
        index_(file.task.labels) {}

  Example read(size_t row) {
    Example example;
    example.row = static_cast<int64_t>(row);
    switch (file_.task.kind) {
      case TaskKind::token_classification:
        read_words(row, example);
        return example;
      case TaskKind::multiple_choice:
        example.answers = options(row);
        example.target = targets_.option(cells_.label(row, labels_.front()), example.answers.size(), line(row));
        break;
      case TaskKind::text_to_text:
        for (const size_t column : labels_) add_answers(row, column, example.answers);
        break;
      default:
        example.target = targets_.read(cells_.label(row, labels_.front()), line(row));
        if (texts_.size() == 2) example.second = cells_.text(row, texts_.back());
        example.first = std::move(cells_.text(row, texts_.front()));
        return example;
    }
    example.first = prompt(row);
    return example;
  }

 private:
  int64_t line(size_t row) const { return cells_.line(row); }

  /// A truth value or a number is the label that it names, where the task lists labels.
  std::string answer(size_t row, size_t column) {
    const std::string& given = cells_.label(row, column);
    if (cells_.type(row, column) == CellType::text) return given;
    if (const auto index = index_.find(given)) return file_.task.labels[static_cast<size_t>(*index)];
    if (cells_.type(row, column) == CellType::boolean) cells_.wrong(row, column, "a text, or labels that say how truth values are written");
    return given;
  }

  std::string prompt(size_t row) {
    std::vector<std::string_view> texts;
    for (const size_t column : texts_) texts.push_back(cells_.text(row, column));
    if (file_.prompt) return file_.prompt->fill(texts);
    std::string joined(texts.front());
    if (texts.size() > 1) joined.append(" ").append(texts.back());
    return joined;
  }

  void add_answers(size_t row, size_t column, std::vector<std::string>& answers) {
    const auto* several = cells_.list(row, column);
    if (!several) return answers.push_back(answer(row, column));
    if (several->empty()) error_at(name_, line(row), "found no answer, expected at least one in '{}'", cells_.column(column));
    answers.insert(answers.end(), several->begin(), several->end());
  }

  std::vector<std::string> options(size_t row) {
    std::vector<std::string> found;
    if (options_.size() > 1) {
      for (const size_t column : options_) found.push_back(cells_.text(row, column));
      return found;
    }
    const auto* several = cells_.list(row, options_.front());
    if (!several) cells_.wrong(row, options_.front(), "a list of two or more texts");
    found = *several;
    if (found.size() < 2)
      error_at(name_, line(row), "found {} options, expected a list of two or more in '{}'", found.size(), file_.options.front());
    return found;
  }

  /// A JSONL list, or in other tables the parts of a text between single blanks.
  std::vector<std::string> parts(size_t row, size_t column) {
    if (const auto* several = cells_.list(row, column)) return *several;
    if (file_.format.type == "jsonl") cells_.wrong(row, column, "a list of texts");
    std::vector<std::string> found;
    const std::string& text = cells_.text(row, column);
    for (size_t begin = 0; begin <= text.size() && !text.empty();) {
      const size_t end = std::min(text.find(' ', begin), text.size());
      found.push_back(text.substr(begin, end - begin));
      begin = end + 1;
    }
    return found;
  }

  void read_words(size_t row, Example& example) {
    example.words = parts(row, texts_.front());
    const std::vector<std::string> tags = parts(row, labels_.front());
    if (example.words.empty()) error_at(name_, line(row), "found no words, expected at least one");
    if (tags.size() != example.words.size())
      error_at(name_, line(row), "found {} tags, expected {}, one a word", tags.size(), example.words.size());
    for (const std::string& word : example.words)
      if (word.empty()) error_at(name_, line(row), "found an empty word, expected single blanks between words");
    for (const std::string& tag : tags) example.tags.push_back(tags_.read(tag, line(row)));
  }

  TableCells cells_;
  const TaskFile& file_;
  const std::string& name_;
  std::vector<size_t> texts_, labels_, options_;
  TargetReader targets_;
  TagReader tags_;
  LabelIndex index_;
};

}  // namespace

std::vector<Example> read_examples(Cells cells, const TaskFile& file, const std::string& name) {
  ExampleReader reader(cells, file, name);
  if (cells.table.rows.empty()) error_at(name, 1, "found a header and no rows, expected at least one row");
  std::vector<Example> examples;
  examples.reserve(cells.table.rows.size());
  for (size_t row = 0; row < cells.table.rows.size(); ++row) examples.push_back(reader.read(row));
  return examples;
}

std::vector<Example> read_split(std::string_view bytes, const TaskFile& file, const std::string& name) {
  const std::string& type = file.format.type;
  if (file.task.kind == TaskKind::language_modelling)
    return read_documents(checked_text(bytes, "documents", name), file.documents.cut, file.documents.separator, name);
  if (type == "crossfit") return read_crossfit(checked_text(bytes, "rows", name), name);
  if (type == "conll") return read_conll(checked_text(bytes, "words", name), file.task.labels, name);
  return read_examples(parse_cells(bytes, file.format, name, file.least_columns), file, name);
}

}  // namespace tsrun::data
