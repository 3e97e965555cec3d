#include "app/described.h"

#include "tsrun/experiment/results.h"

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
  if (one.kind == "helper") return one.call;
  if (one.kind == "recipe") return one.name;
  return fmt::format("{}  ({}, version {}, {})", one.name, one.kind, one.version, one.file);
}

std::string ended(std::string text) { return text.empty() || text.ends_with('\n') ? text : text + '\n'; }

std::string first_sentence(const std::string& text) { return text.substr(0, text.find(". ")); }

/// The fields of a result, a line each.
std::string result_lines(const std::string& name) {
  const ResultKind* kind = find_result_kind(name);
  if (kind == nullptr) return {};
  std::string text = fmt::format("\nReturns: {} ({})\n", kind->name, kind->doc.substr(0, kind->doc.find('.')));
  for (const ResultField& field : kind->fields) text += fmt::format("  {:<22}{}\n", field.name, field.doc);
  return kind->open ? text + "  and fields of its plugin\n" : text;
}

}  // namespace

std::string text_of(const Described& one) {
  if (one.kind == "helper") return fmt::format("{}\n{}", heading(one), ended(one.doc));
  const auto table = one.options.all().empty() ? std::string("no options") : one.options.describe();
  return fmt::format("{}\n{}\n{}{}", heading(one), ended(one.doc), ended(table), result_lines(one.result));
}

json json_of(const Described& one) {
  json result = {{"name", one.name}, {"kind", one.kind}, {"doc", one.doc}, {"options", json::array()}};
  if (one.version > 0) result["version"] = one.version;
  if (!one.file.empty()) result["file"] = one.file;
  if (!one.call.empty()) result["call"] = one.call;
  if (const ResultKind* kind = find_result_kind(one.result)) {
    json fields = json::array();
    for (const ResultField& field : kind->fields) fields.push_back({{"name", field.name}, {"doc", field.doc}});
    result["result"] = {{"kind", kind->name}, {"doc", kind->doc}, {"open", kind->open}, {"fields", fields}};
  }
  for (const auto& option : one.options.all()) result["options"].push_back(json_of_option(option));
  return result;
}

std::string lines_of(const std::vector<Described>& all, const std::vector<std::string>& kinds) {
  std::string text;
  for (const auto& one : all)
    if (std::find(kinds.begin(), kinds.end(), one.kind) != kinds.end())
      text += fmt::format("  {:<26}{}\n", one.name, one.kind == "helper" ? first_sentence(one.doc) : one.doc);
  return text.empty() ? "  none\n" : text;
}

std::string name_lines(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += fmt::format("  {}\n", name);
  return text;
}

}  // namespace tsrun::app
