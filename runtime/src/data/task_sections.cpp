#include "data/task_sections.h"
#include "data/place_error.h"

#include "tsrun/base/suggest.h"

#include <algorithm>
#include <sstream>

namespace tsrun::data {

TaskSection::TaskSection(const toml::table& table, std::string file, std::vector<std::string> keys)
    : table_(table), file_(std::move(file)), keys_(std::move(keys)) {
  for (const auto& [key, value] : table_) {
    const std::string given(key.str());
    if (std::find(keys_.begin(), keys_.end(), given) != keys_.end()) continue;
    error_at(file_, line(value), "found the unknown key '{}'{}, expected one of {}", given, did_you_mean(given, keys_), join_words(keys_));
  }
}

const toml::node& TaskSection::require(std::string_view key, std::string_view expected) const {
  if (const toml::node* node = find(key)) return *node;
  error_at(file_, line(table_), "found no '{}', expected {}", key, expected);
}

void TaskSection::wrong(const toml::node& node, std::string_view key, const std::string& found, std::string_view expected) const {
  error_at(file_, line(node), "found {} = {}, expected {}", key, found, expected);
}

std::string TaskSection::any_text(const toml::node& node, std::string_view key, std::string_view expected) const {
  const auto value = node.value_exact<std::string>();
  if (!value) wrong(node, key, "a value of type " + type_of(node), expected);
  return *value;
}

std::string TaskSection::text(const toml::node& node, std::string_view key, std::string_view expected) const {
  const std::string value = any_text(node, key, expected);
  if (value.empty()) wrong(node, key, "\"\"", expected);
  return value;
}

std::string TaskSection::column(const toml::node& node, std::string_view key, std::string_view expected) const {
  if (const auto number = node.value_exact<int64_t>()) return std::to_string(*number);
  return text(node, key, expected);
}

std::vector<std::string> TaskSection::columns(const toml::node& node, std::string_view key, std::string_view expected) const {
  if (!node.is_array()) return {column(node, key, expected)};
  std::vector<std::string> names;
  for (const toml::node& entry : *node.as_array()) names.push_back(column(entry, key, expected));
  return names;
}

std::vector<std::string> TaskSection::names(std::string_view key, size_t least, std::string_view expected) const {
  const toml::array& list = array(key, expected);
  std::vector<std::string> names;
  for (const toml::node& entry : list) {
    const auto truth = entry.value_exact<bool>();
    const std::string name = truth ? (*truth ? "true" : "false") : column(entry, key, expected);
    if (std::find(names.begin(), names.end(), name) != names.end()) wrong(entry, key, "'" + name + "' twice", expected);
    names.push_back(name);
  }
  if (names.size() < least) wrong(list, key, std::to_string(names.size()) + " names", expected);
  return names;
}

std::string TaskSection::choice(const toml::node& node, std::string_view key, const std::vector<std::string>& known) const {
  const std::string expected = "one of " + join_words(known);
  const std::string value = text(node, key, expected);
  if (std::find(known.begin(), known.end(), value) != known.end()) return value;
  wrong(node, key, "'" + value + "'" + did_you_mean(value, known), expected);
}

const toml::array& TaskSection::array(std::string_view key, std::string_view expected) const {
  const toml::node& node = require(key, expected);
  if (!node.is_array()) wrong(node, key, "a value of type " + type_of(node), expected);
  return *node.as_array();
}

const toml::table& TaskSection::table(std::string_view key, std::string_view expected) const {
  const toml::node& node = require(key, expected);
  if (!node.is_table()) wrong(node, key, "a value of type " + type_of(node), expected);
  return *node.as_table();
}

void TaskSection::refuse(std::string_view key, std::string_view why) const {
  if (const toml::node* node = find(key)) error_at(file_, line(*node), "found '{}', expected none ({})", key, why);
}

int64_t TaskSection::line(const toml::node& node) { return std::max<int64_t>(1, node.source().begin.line); }

std::string TaskSection::type_of(const toml::node& node) {
  std::ostringstream out;
  out << node.type();
  return out.str();
}

}  // namespace tsrun::data
