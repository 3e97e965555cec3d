#include "app/described.h"

#include <fmt/format.h>

#include <algorithm>

namespace tsrun::app {
namespace {

using nlohmann::json;

json json_of_option(const Option& option) {
  json result = {{"name", option.name},
                 {"type", name_of(option.type)},
                 {"required", option.required},
                 {"default", option.fallback},
                 {"doc", option.doc}};
  if (option.minimum) result["minimum"] = *option.minimum;
  if (option.maximum) result["maximum"] = *option.maximum;
  if (!option.choices.empty()) result["choices"] = option.choices;
  if (!option.unit.empty()) result["unit"] = option.unit;
  return result;
}

std::string heading(const Described& one) {
  if (one.kind == "operation") return "ts." + one.name;
  if (one.kind == "verb") return "tsrun " + one.name;
  if (one.kind == "recipe") return one.name;
  return fmt::format("{}  ({}, version {}, {})", one.name, one.kind, one.version, one.file);
}

std::string ended(std::string text) { return text.empty() || text.ends_with('\n') ? text : text + '\n'; }

}  // namespace

std::string text_of(const Described& one) {
  const auto table = one.options.all().empty() ? std::string("no options") : one.options.describe();
  return fmt::format("{}\n{}\n{}", heading(one), ended(one.doc), ended(table));
}

json json_of(const Described& one) {
  json result = {{"name", one.name}, {"kind", one.kind}, {"doc", one.doc}, {"options", json::array()}};
  if (one.version > 0) result["version"] = one.version;
  if (!one.file.empty()) result["file"] = one.file;
  for (const auto& option : one.options.all()) result["options"].push_back(json_of_option(option));
  return result;
}

std::string lines_of(const std::vector<Described>& all, const std::vector<std::string>& kinds) {
  std::string text;
  for (const auto& one : all)
    if (std::find(kinds.begin(), kinds.end(), one.kind) != kinds.end()) text += fmt::format("  {:<22}{}\n", one.name, one.doc);
  return text.empty() ? "  none\n" : text;
}

std::string name_lines(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += fmt::format("  {}\n", name);
  return text;
}

}  // namespace tsrun::app
