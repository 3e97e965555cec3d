#include "data/save_task.h"

#include "tsrun/base/error.h"
#include "tsrun/base/files.h"

#include <toml++/toml.h>

#include <algorithm>
#include <sstream>

namespace tsrun {
namespace {

bool needs_quotes(std::string_view field) { return field.find_first_of("\t\r\n") != std::string_view::npos; }

bool needs_quotes(const Task& task, const data::SavedColumns& columns) {
  const auto any = [](const std::vector<std::string>& texts) {
    return std::any_of(texts.begin(), texts.end(), [](const std::string& text) { return needs_quotes(text); });
  };
  for (const auto& [name, split] : task.splits) {
    for (const Example& example : split.examples) {
      if (needs_quotes(example.first) || (example.second && needs_quotes(*example.second))) return true;
    }
  }
  return any(task.labels) || any(columns.texts);
}

std::string field(const std::string& text, bool quoted) {
  if (!quoted || (!needs_quotes(text) && text.find('"') == std::string::npos)) return text;
  std::string out = "\"";
  for (const char c : text) out.append(c == '"' ? 2 : 1, c);
  return out + '"';
}

std::string table_of(const Task& task, const Split& split, const data::SavedColumns& columns, bool quoted) {
  std::string out;
  for (const std::string& name : columns.texts) out += field(name, quoted) + '\t';
  out += columns.label + '\n';
  for (const Example& example : split.examples) {
    out += field(example.first, quoted) + '\t';
    if (columns.texts.size() == 2) out += field(example.second.value_or(""), quoted) + '\t';
    out += field(data::saved_label(task, example.target), quoted) + '\n';
  }
  return out;
}

toml::array array_of(const std::vector<std::string>& texts) {
  toml::array out;
  for (const std::string& text : texts) out.push_back(text);
  return out;
}

/// A name that is not among `taken`.
std::string free_name(std::string name, const std::vector<std::string>& taken) {
  while (std::find(taken.begin(), taken.end(), name) != taken.end()) name += '_';
  return name;
}

data::SavedColumns columns_to_save(const Task& task) {
  data::SavedColumns columns;
  const size_t texts = task.has_pairs() ? 2 : 1;
  columns.texts = task.columns;
  const bool same = texts == 2 && columns.texts.size() == 2 && columns.texts[0] == columns.texts[1];
  if (columns.texts.size() != texts || same)
    columns.texts = texts == 2 ? std::vector<std::string>{"text_a", "text_b"} : std::vector<std::string>{"text_a"};
  columns.label = free_name("label", columns.texts);
  columns.options = free_name("options", columns.texts);
  return columns;
}

void insert_kind(const Task& task, toml::table& root) {
  if (!task.labels.empty()) root.insert("labels", array_of(task.labels));
  if (task.labels.empty() && task.low < task.high) root.insert("range", toml::array{task.low, task.high});
  if (!task.answer_prefix.empty() && task.kind == TaskKind::text_to_text) root.insert("answer_prefix", task.answer_prefix);
  if (task.objective) root.insert("objective", *task.objective == Objective::masked ? "masked" : "causal");
  if (!task.verbaliser || task.kind == TaskKind::text_to_text) return;
  toml::table verbaliser{{"prompt", task.verbaliser->prompt}};
  if (!task.verbaliser->answers.empty()) verbaliser.insert("answers", array_of(task.verbaliser->answers));
  root.insert("verbaliser", verbaliser);
}

toml::table description_of(const Task& task, const std::string& extension) {
  toml::table root, splits;
  for (const auto& [name, split] : task.splits) splits.insert(name, name + extension);
  root.insert("name", task.name);
  root.insert("kind", name_of(task.kind));
  root.insert("metrics", array_of(task.metrics));
  root.insert("splits", splits);
  insert_kind(task, root);
  return root;
}

void insert_columns(const data::SavedColumns& columns, toml::table& root) {
  root.insert("text", array_of(columns.texts));
  root.insert("label", columns.label);
}

void write_description(const toml::table& root, const std::filesystem::path& folder) {
  std::ostringstream out;
  out << root << '\n';
  write_durable(folder / "task.toml", out.str());
}

void save_rows(const Task& task, const std::filesystem::path& folder) {
  const data::SavedColumns columns = columns_to_save(task);
  const bool quoted = needs_quotes(task, columns);
  for (const auto& [name, split] : task.splits) write_durable(folder / (name + ".tsv"), table_of(task, split, columns, quoted));
  toml::table root = description_of(task, ".tsv");
  insert_columns(columns, root);
  root.insert("format", toml::table{{"type", "tsv"}, {"header", true}, {"quote", quoted ? "\"" : ""}});
  write_description(root, folder);
}

void save_json_lines(const Task& task, const std::filesystem::path& folder) {
  const data::SavedColumns columns = columns_to_save(task);
  for (const auto& [name, split] : task.splits) write_durable(folder / (name + ".jsonl"), data::json_lines_of(task, split, columns));
  toml::table root = description_of(task, ".jsonl");
  insert_columns(columns, root);
  if (task.kind == TaskKind::multiple_choice) root.insert("options", columns.options);
  root.insert("format", toml::table{{"type", "jsonl"}});
  write_description(root, folder);
}

void save_documents(const Task& task, const std::filesystem::path& folder) {
  const data::SavedDocuments saved = data::documents_to_save(task);
  for (const auto& [name, text] : saved.texts) write_durable(folder / (name + ".txt"), text);
  toml::table root = description_of(task, ".txt");
  saved.separator.empty() ? root.insert("documents", "file") : root.insert("separator", saved.separator);
  write_description(root, folder);
}

}  // namespace

void save_task(const Task& task, const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  if (task.kind == TaskKind::language_modelling) return save_documents(task, folder);
  const bool table = task.kind == TaskKind::classification || task.kind == TaskKind::regression;
  table ? save_rows(task, folder) : save_json_lines(task, folder);
}

}  // namespace tsrun
