#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/data/task.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <sstream>

namespace tsrun {
namespace {

bool needs_quotes(std::string_view field) { return field.find_first_of("\t\r\n") != std::string_view::npos; }

bool needs_quotes(const Task& task) {
  for (const auto& [name, split] : task.splits) {
    for (const Example& example : split.examples) {
      if (needs_quotes(example.first) || (example.second && needs_quotes(*example.second))) return true;
    }
  }
  for (const std::string& label : task.labels) {
    if (needs_quotes(label)) return true;
  }
  return false;
}

std::string field(const std::string& text, bool quoted) {
  if (!quoted || (!needs_quotes(text) && text.find('"') == std::string::npos)) return text;
  std::string out = "\"";
  for (const char c : text) out.append(c == '"' ? 2 : 1, c);
  return out + '"';
}

std::string label_of(const Task& task, double target) {
  if (task.kind == TaskKind::regression) return fmt::format("{}", target);
  const auto index = static_cast<size_t>(target);
  if (index >= task.labels.size()) internal_error("task '{}' has {} labels, found the class {}", task.name, task.labels.size(), target);
  return task.labels[index];
}

std::string table_of(const Task& task, const Split& split, bool quoted) {
  std::string out = task.has_pairs() ? "text_a\ttext_b\tlabel\n" : "text_a\tlabel\n";
  for (const Example& example : split.examples) {
    out += field(example.first, quoted) + '\t';
    if (task.has_pairs()) out += field(example.second.value_or(""), quoted) + '\t';
    out += field(label_of(task, example.target), quoted) + '\n';
  }
  return out;
}

toml::array array_of(const std::vector<std::string>& texts) {
  toml::array out;
  for (const std::string& text : texts) out.push_back(text);
  return out;
}

std::string description_of(const Task& task, bool quoted) {
  toml::table root, splits;
  for (const auto& [name, split] : task.splits) splits.insert(name, name + ".tsv");
  root.insert("name", task.name);
  root.insert("kind", name_of(task.kind));
  root.insert("text", task.has_pairs() ? toml::array{"text_a", "text_b"} : toml::array{"text_a"});
  root.insert("label", "label");
  if (task.kind == TaskKind::classification) root.insert("labels", array_of(task.labels));
  if (task.kind == TaskKind::regression) root.insert("range", toml::array{task.low, task.high});
  root.insert("metrics", array_of(task.metrics));
  root.insert("splits", splits);
  root.insert("format", toml::table{{"type", "tsv"}, {"header", true}, {"quote", quoted ? "\"" : ""}});
  std::ostringstream out;
  out << root << '\n';
  return out.str();
}

}  // namespace

void save_task(const Task& task, const std::filesystem::path& folder) {
  const bool quoted = needs_quotes(task);
  std::filesystem::create_directories(folder);
  for (const auto& [name, split] : task.splits) write_durable(folder / (name + ".tsv"), table_of(task, split, quoted));
  write_durable(folder / "task.toml", description_of(task, quoted));
}

}  // namespace tsrun
