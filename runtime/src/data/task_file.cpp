#include "data/task_file.h"

#include "data/readers.h"
#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"
#include "tsrun/data/metrics.h"

#include <toml++/toml.h>

#include <algorithm>
#include <cmath>
#include <sstream>

namespace tsrun {
namespace {

const std::vector<std::string>& kinds() {
  static const std::vector<std::string> names = {std::string(name_of(TaskKind::classification)),
                                                 std::string(name_of(TaskKind::regression))};
  return names;
}

std::string kind_of(const toml::node& node) {
  std::ostringstream out;
  out << node.type();
  return out.str();
}

/// A table of the file, with errors that know their line.
class Section {
 public:
  Section(const toml::table& table, std::string file, std::vector<std::string> keys)
      : table_(table), file_(std::move(file)), keys_(std::move(keys)) {
    for (const auto& [key, value] : table_) {
      const std::string given(key.str());
      if (std::find(keys_.begin(), keys_.end(), given) != keys_.end()) continue;
      data_error("{}:{}: found the unknown key '{}'{}, expected one of {}", file_, line(value), given, did_you_mean(given, keys_),
                 join_words(keys_));
    }
  }

  const toml::node* find(std::string_view key) const { return table_.get(key); }

  const toml::node& require(std::string_view key, std::string_view expected) const {
    if (const toml::node* node = find(key)) return *node;
    data_error("{}:{}: found no '{}', expected {}", file_, line(table_), key, expected);
  }

  [[noreturn]] void wrong(const toml::node& node, std::string_view key, const std::string& found, std::string_view expected) const {
    data_error("{}:{}: found {} = {}, expected {}", file_, line(node), key, found, expected);
  }

  std::string text(const toml::node& node, std::string_view key, std::string_view expected) const {
    const auto value = node.value_exact<std::string>();
    if (!value) wrong(node, key, "a value of type " + kind_of(node), expected);
    if (value->empty()) wrong(node, key, "\"\"", expected);
    return *value;
  }

  /// A text, or a number where columns are numbered.
  std::string column(const toml::node& node, std::string_view key, std::string_view expected) const {
    if (const auto number = node.value_exact<int64_t>()) return std::to_string(*number);
    return text(node, key, expected);
  }

  const toml::array& array(std::string_view key, std::string_view expected) const {
    const toml::node& node = require(key, expected);
    if (!node.is_array()) wrong(node, key, "a value of type " + kind_of(node), expected);
    return *node.as_array();
  }

  const toml::table& table(std::string_view key, std::string_view expected) const {
    const toml::node& node = require(key, expected);
    if (!node.is_table()) wrong(node, key, "a value of type " + kind_of(node), expected);
    return *node.as_table();
  }

  const std::string& file() const { return file_; }
  static int64_t line(const toml::node& node) { return std::max<int64_t>(1, node.source().begin.line); }

 private:
  const toml::table& table_;
  std::string file_;
  std::vector<std::string> keys_;
};

TaskKind read_kind(const Section& section) {
  const std::string expected = "one of " + join_words(kinds());
  const toml::node& node = section.require("kind", expected);
  const std::string kind = section.text(node, "kind", expected);
  if (kind == kinds()[0]) return TaskKind::classification;
  if (kind == kinds()[1]) return TaskKind::regression;
  section.wrong(node, "kind", "'" + kind + "'" + did_you_mean(kind, kinds()), expected);
}

void read_columns(const Section& section, TaskFile& file) {
  constexpr std::string_view kText = "a list of one or two column names (numbers from 1 when there is no header)";
  const toml::array& columns = section.array("text", kText);
  for (const toml::node& column : columns) file.text.push_back(section.column(column, "text", kText));
  if (file.text.empty() || file.text.size() > 2) section.wrong(columns, "text", std::to_string(file.text.size()) + " columns", kText);
  constexpr std::string_view kLabel = "a column name (a number from 1 when there is no header)";
  const toml::node& label = section.require("label", kLabel);
  file.label = section.column(label, "label", kLabel);
  if (std::find(file.text.begin(), file.text.end(), file.label) != file.text.end()) {
    section.wrong(label, "label", "'" + file.label + "', which is a text column", "another column");
  }
}

void read_labels(const Section& section, Task& task) {
  constexpr std::string_view kExpected = "a list of two or more different class names";
  if (const toml::node* range = section.find("range")) section.wrong(*range, "range", "a range", "none (a classification has labels)");
  const toml::array& labels = section.array("labels", kExpected);
  for (const toml::node& label : labels) {
    const std::string name = section.column(label, "labels", kExpected);
    if (std::find(task.labels.begin(), task.labels.end(), name) != task.labels.end())
      section.wrong(label, "labels", "'" + name + "' twice", kExpected);
    task.labels.push_back(name);
  }
  if (task.labels.size() < 2) section.wrong(labels, "labels", std::to_string(task.labels.size()) + " names", kExpected);
}

void read_range(const Section& section, Task& task) {
  constexpr std::string_view kExpected = "[lowest, highest]";
  if (const toml::node* labels = section.find("labels")) section.wrong(*labels, "labels", "labels", "none (a regression has a range)");
  const toml::array& range = section.array("range", kExpected);
  const auto low = range.size() == 2 ? range[0].value<double>() : std::nullopt;
  const auto high = range.size() == 2 ? range[1].value<double>() : std::nullopt;
  if (!low || !high || !std::isfinite(*low) || !std::isfinite(*high) || *low >= *high)
    section.wrong(range, "range", "no interval", kExpected);
  task.low = *low;
  task.high = *high;
}

void read_metrics(const Section& section, Task& task) {
  std::vector<std::string> known = metric_names();
  if (task.kind == TaskKind::regression) known = {"pearson", "spearman"};
  const std::string expected = "a list of " + join_words(known) + " for a " + std::string(name_of(task.kind));
  const toml::array& metrics = section.array("metrics", expected);
  for (const toml::node& metric : metrics) {
    const std::string name = section.text(metric, "metrics", expected);
    if (std::find(known.begin(), known.end(), name) == known.end())
      section.wrong(metric, "metrics", "'" + name + "'" + did_you_mean(name, known), expected);
    task.metrics.push_back(name);
  }
  if (task.metrics.empty()) section.wrong(metrics, "metrics", "[]", expected);
}

void read_splits(const Section& section, TaskFile& file) {
  constexpr std::string_view kExpected = "a table of split names and files";
  const toml::table& splits = section.table("splits", kExpected);
  for (const auto& [key, value] : splits) {
    const std::string name(key.str());
    file.files[name] = section.text(value, "splits." + name, "a file name");
    file.task.splits[name].name = name;
  }
  if (file.files.empty()) section.wrong(splits, "splits", "no splits", kExpected);
}

TableFormat read_format(const Section& parent) {
  TableFormat format;
  if (!parent.find("format")) return format;
  const Section section(parent.table("format", "a table"), parent.file(), {"type", "header", "quote"});
  const std::string types = "one of " + join_words(table_types());
  if (const toml::node* type = section.find("type")) {
    format.type = section.text(*type, "type", types);
    if (std::find(table_types().begin(), table_types().end(), format.type) == table_types().end()) {
      section.wrong(*type, "type", "'" + format.type + "'" + did_you_mean(format.type, table_types()), types);
    }
  }
  if (format.type == "csv") format.quote = "\"";
  if (const toml::node* header = section.find("header")) {
    if (!header->is_boolean()) section.wrong(*header, "header", "a value of type " + kind_of(*header), "true or false");
    format.header = header->value_or(true);
  }
  if (const toml::node* quote = section.find("quote")) {
    const auto value = quote->value_exact<std::string>();
    if (!value || (*value != "" && *value != "\""))
      section.wrong(*quote, "quote", value ? "'" + *value + "'" : kind_of(*quote), R"("" or "\"")");
    format.quote = *value;
  }
  return format;
}

toml::table parse(std::string_view text, const std::string& name) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos)
    data_error("{}:1: found an empty file, expected a task description", name);
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    const auto& where = error.source().begin;
    data_error("{}:{}:{}: found malformed TOML ({}), expected a task description", name, where.line, where.column, error.description());
  }
}

}  // namespace

TaskFile parse_task_file(std::string_view toml, const std::string& name) {
  const toml::table root = parse(toml, name);
  const Section section(root, name, {"name", "kind", "text", "label", "labels", "range", "metrics", "splits", "format"});
  TaskFile file;
  file.task.name = section.text(section.require("name", "a name"), "name", "a name");
  file.task.kind = read_kind(section);
  read_columns(section, file);
  if (file.task.kind == TaskKind::classification) read_labels(section, file.task);
  if (file.task.kind == TaskKind::regression) read_range(section, file.task);
  read_metrics(section, file.task);
  read_splits(section, file);
  file.format = read_format(section);
  return file;
}

Task parse_task(std::string_view toml, const std::string& name) { return parse_task_file(toml, name).task; }

}  // namespace tsrun
