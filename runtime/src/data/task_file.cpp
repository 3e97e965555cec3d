#include "data/task_file.h"
#include "data/place_error.h"

#include "data/readers.h"
#include "data/task_kinds.h"
#include "data/task_sections.h"
#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"
#include "tsrun/data/metrics.h"

#include <algorithm>
#include <charconv>

namespace tsrun {
namespace data {
namespace {

/// Keys of every kind, so that a misspelt "kind" is told from a missing one.
std::vector<std::string> all_keys() {
  std::vector<std::string> all;
  for (const std::string& kind : kind_names()) {
    for (const std::string& key : keys_of(kind_of(kind)))
      if (std::find(all.begin(), all.end(), key) == all.end()) all.push_back(key);
  }
  return all;
}

TaskKind read_kind(const toml::table& root, const std::string& name) {
  const bool stated = root.contains("kind");
  std::vector<std::string> keys = all_keys();
  if (stated) {
    for (const auto& [key, value] : root) keys.emplace_back(key.str());  // checked once the kind is known
  }
  const TaskSection section(root, name, keys);
  return kind_of(section.choice(section.require("kind", "one of " + join_words(kind_names())), "kind", kind_names()));
}

void read_metrics(const TaskSection& section, Task& task) {
  if (task.kind == TaskKind::language_modelling && !section.find("metrics")) {
    task.metrics = {"perplexity", "byte_perplexity"};
    return;
  }
  const std::vector<std::string>& known = metric_names(task.kind);
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

void read_splits(const TaskSection& section, TaskFile& file) {
  constexpr std::string_view kExpected = "a table of split names and files";
  const toml::table& splits = section.table("splits", kExpected);
  for (const auto& [key, value] : splits) {
    const std::string name(key.str());
    file.files[name] = section.text(value, "splits." + name, "a file name");
    file.task.splits[name].name = name;
  }
  if (file.files.empty()) section.wrong(splits, "splits", "no splits", kExpected);
}

std::vector<std::string> format_types(TaskKind kind) {
  std::vector<std::string> types = table_types();
  if (kind == TaskKind::text_to_text) types.emplace_back("crossfit");
  if (kind == TaskKind::token_classification) types.emplace_back("conll");
  return types;
}

void read_header_and_quote(const TaskSection& section, TableFormat& format) {
  if (const toml::node* header = section.find("header")) {
    if (!header->is_boolean()) section.wrong(*header, "header", "a value of type " + TaskSection::type_of(*header), "true or false");
    format.header = header->value_or(true);
  }
  if (const toml::node* quote = section.find("quote")) {
    const auto value = quote->value_exact<std::string>();
    if (!value || (*value != "" && *value != "\""))
      section.wrong(*quote, "quote", value ? "'" + *value + "'" : TaskSection::type_of(*quote), R"("" or "\"")");
    format.quote = *value;
  }
}

/// Reads `missing` too, which only JSON lines can need.
TableFormat read_format(const TaskSection& parent, TaskFile& file) {
  TableFormat format;
  if (!parent.find("format")) return format;
  const TaskKind kind = file.task.kind;
  const TaskSection section(parent.table("format", "a table"), parent.file(), {"type", "header", "quote", "missing"});
  if (const toml::node* type = section.find("type")) format.type = section.choice(*type, "type", format_types(kind));
  if (format.type == "csv") format.quote = "\"";
  if (format.type == "crossfit" || format.type == "conll") {
    for (const char* key : {"header", "quote"}) section.refuse(key, "type = \"" + format.type + "\" has neither header nor quotes");
  }
  read_header_and_quote(section, format);
  if (format.type == "jsonl" && !format.header) section.refuse("header", "JSON names its columns");
  if (format.type == "jsonl" && !format.quote.empty()) section.refuse("quote", "JSON has quotes of its own");
  if (format.type != "jsonl")
    section.refuse("missing", "a cell of type = \"" + format.type + "\" is never null; an empty one is an empty text");
  if (const toml::node* missing = section.find("missing")) file.missing = section.any_text(*missing, "missing", "a text");
  return format;
}

/// The largest number that columns without a header are named by; 0 where one has no such name.
size_t largest_column(const TaskFile& file) {
  constexpr size_t kMost = 100000;
  size_t largest = 0;
  for (const auto* columns : {&file.text, &file.labels, &file.options}) {
    for (const std::string& column : *columns) {
      size_t number = 0;
      const auto result = std::from_chars(column.data(), column.data() + column.size(), number);
      if (result.ec != std::errc() || result.ptr != column.data() + column.size() || number < 1 || number > kMost) return 0;
      largest = std::max(largest, number);
    }
  }
  return largest;
}

toml::table parse(std::string_view text, const std::string& name) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) error_at(name, 1, "found an empty file, expected a task description");
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    const auto& where = error.source().begin;
    data_error("{}:{}:{}: found malformed TOML ({}), expected a task description", name, where.line, where.column,
               printable(error.description(), ""));
  }
}

}  // namespace

TaskFile parse_task_file(std::string_view toml, const std::string& name) {
  const toml::table root = parse(toml, name);
  TaskFile file;
  file.task.kind = read_kind(root, name);
  const TaskSection section(root, name, keys_of(file.task.kind));
  file.task.name = section.text(section.require("name", "a name"), "name", "a name");
  if (file.task.kind != TaskKind::language_modelling) file.format = read_format(section, file);
  read_kind_keys(section, file);
  if (!file.format.header) file.least_columns = largest_column(file);
  read_metrics(section, file.task);
  read_splits(section, file);
  return file;
}

}  // namespace data

Task parse_task(std::string_view toml, const std::string& name) { return data::parse_task_file(toml, name).task; }

}  // namespace tsrun
