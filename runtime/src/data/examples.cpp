#include "data/targets.h"
#include "data/task_file.h"
#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"

#include <algorithm>
#include <utility>

namespace tsrun {
namespace {

size_t find_column(const Table& table, const std::string& column, const std::string& name) {
  const auto& columns = table.columns;
  const auto found = std::find(columns.begin(), columns.end(), column);
  if (found != columns.end()) return static_cast<size_t>(found - columns.begin());
  data_error("{}:1: found the columns {}, expected one named '{}'{}", name, join_words(columns), column, did_you_mean(column, columns));
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
      : cells_(cells),
        file_(file),
        name_(name),
        texts_(find_columns(cells.table, file.text, name)),
        labels_(find_columns(cells.table, file.labels, name)),
        options_(find_columns(cells.table, file.options, name)),
        targets_(file.task, name),
        tags_(file.task.labels, name) {}

  Example read(size_t row) {
    Example example;
    example.row = static_cast<int64_t>(row);
    switch (file_.task.kind) {
      case TaskKind::token_classification:
        read_words(row, example);
        return example;
      case TaskKind::multiple_choice:
        example.answers = options(row);
        example.target = targets_.option(cell(row, labels_.front()), example.answers.size(), line(row));
        break;
      case TaskKind::text_to_text:
        for (const size_t column : labels_) add_answers(row, column, example.answers);
        break;
      default:
        example.target = targets_.read(cell(row, labels_.front()), line(row));
        if (texts_.size() == 2) example.second = cell(row, texts_.back());
        example.first = std::move(cell(row, texts_.front()));
        return example;
    }
    example.first = prompt(row);
    return example;
  }

 private:
  std::string& cell(size_t row, size_t column) { return cells_.table.rows[row][column]; }
  int64_t line(size_t row) const { return cells_.table.lines[row]; }

  const std::vector<std::string>* list(size_t row, size_t column) const {
    const auto found = cells_.lists.find({row, column});
    return found == cells_.lists.end() ? nullptr : &found->second;
  }

  std::string prompt(size_t row) {
    std::vector<std::string_view> texts;
    for (const size_t column : texts_) texts.push_back(cell(row, column));
    if (file_.prompt) return file_.prompt->fill(texts);
    std::string joined(texts.front());
    if (texts.size() > 1) joined.append(" ").append(texts.back());
    return joined;
  }

  void add_answers(size_t row, size_t column, std::vector<std::string>& answers) {
    const auto* several = list(row, column);
    if (!several) return answers.push_back(cell(row, column));
    if (several->empty())
      data_error("{}:{}: found no answer, expected at least one in '{}'", name_, line(row), cells_.table.columns[column]);
    answers.insert(answers.end(), several->begin(), several->end());
  }

  std::vector<std::string> options(size_t row) {
    std::vector<std::string> found;
    if (options_.size() > 1) {
      for (const size_t column : options_) found.push_back(cell(row, column));
      return found;
    }
    if (const auto* several = list(row, options_.front())) found = *several;
    if (found.size() < 2)
      data_error("{}:{}: found {} options, expected a list of two or more in '{}'", name_, line(row), found.size(), file_.options.front());
    return found;
  }

  /// A JSONL list, or in other tables the parts of a text between single blanks.
  std::vector<std::string> parts(size_t row, size_t column) {
    if (const auto* several = list(row, column)) return *several;
    if (file_.format.type == "jsonl")
      data_error("{}:{}: found no list of texts in '{}', expected one", name_, line(row), cells_.table.columns[column]);
    std::vector<std::string> found;
    const std::string& text = cell(row, column);
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
    if (example.words.empty()) data_error("{}:{}: found no words, expected at least one", name_, line(row));
    if (tags.size() != example.words.size())
      data_error("{}:{}: found {} tags, expected {}, one a word", name_, line(row), tags.size(), example.words.size());
    for (const std::string& word : example.words)
      if (word.empty()) data_error("{}:{}: found an empty word, expected single blanks between words", name_, line(row));
    for (const std::string& tag : tags) example.tags.push_back(tags_.read(tag, line(row)));
  }

  Cells& cells_;
  const TaskFile& file_;
  const std::string& name_;
  std::vector<size_t> texts_, labels_, options_;
  TargetReader targets_;
  TagReader tags_;
};

}  // namespace

std::vector<Example> read_examples(Cells cells, const TaskFile& file, const std::string& name) {
  ExampleReader reader(cells, file, name);
  if (cells.table.rows.empty()) data_error("{}:1: found a header and no rows, expected at least one row", name);
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
  return read_examples(parse_cells(bytes, file.format, name), file, name);
}

}  // namespace tsrun
