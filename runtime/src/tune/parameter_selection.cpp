#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"
#include "tsrun/model/parts.h"
#include "tsrun/tune/parameter_set.h"
#include "tune/patterns.h"

#include <algorithm>

namespace tsrun {
namespace {

const std::vector<std::string> groupings = {"layer", "tensor", "whole"};
const std::vector<std::string> keys = {"parts", "layers", "patterns", "groups"};

/// Names that a selection takes: every part, and all of them.
std::vector<std::string> selectable_parts() {
  std::vector<std::string> names = part_names();
  names.emplace_back("all");
  return names;
}

void check_word(const std::string& word, const std::vector<std::string>& known, const std::string& where, const char* what) {
  if (std::find(known.begin(), known.end(), word) == known.end())
    user_error("{}: unknown {} '{}'{}; expected {}", where, what, word, did_you_mean(word, known), join_words(known));
}

std::vector<std::string> words(const nlohmann::json& value, const std::string& where) {
  if (value.is_string()) return {value.get<std::string>()};
  if (value.is_object() && value.empty()) return {};  // Lua's empty table
  if (!value.is_array() || !std::all_of(value.begin(), value.end(), [](const auto& v) { return v.is_string(); }))
    user_error("{}: expected a name or a list of names, found {}", where, value.dump());
  return value.get<std::vector<std::string>>();
}

std::vector<int> layer_numbers(const nlohmann::json& value, const std::string& where) {
  std::vector<int> layers;
  const nlohmann::json list = value.is_array()                     ? value
                              : value.is_object() && value.empty() ? nlohmann::json::array()
                                                                   : nlohmann::json::array({value});
  for (const auto& layer : list) {
    const bool whole = layer.is_number() && layer.get<double>() == static_cast<double>(static_cast<int>(layer.get<double>()));
    if (!whole || layer.get<double>() < 0) user_error("{}: layers are whole numbers from 0, found {}", where, layer.dump());
    layers.push_back(static_cast<int>(layer.get<double>()));
  }
  return layers;
}

ParameterSelection from_word(const std::string& word, const std::string& where) {
  ParameterSelection selection;
  if (word.find_first_of("*.") == std::string::npos) {
    check_word(word, selectable_parts(), where, "part of a model");
    selection.parts = {word};
  } else {
    selection.parts = {"all"};
    selection.patterns = {word};
  }
  return selection;
}

template <class List, class Test>
bool any_or_empty(const List& list, const Test& test) {
  return list.empty() || std::any_of(list.begin(), list.end(), test);
}

bool selected(const ParameterInfo& info, const ParameterSelection& selection) {
  return any_or_empty(selection.parts, [&](const std::string& part) { return part == "all" || part == name_of(info.part); }) &&
         any_or_empty(selection.layers, [&](int layer) { return layer == info.layer; }) &&
         any_or_empty(selection.patterns, [&](const std::string& pattern) { return tune::matches(pattern, info.name); });
}

std::string group_name(const ParameterInfo& info, const ParameterSelection& selection) {
  if (selection.groups == "tensor") return info.name;
  if (selection.groups == "whole") return "whole";
  return info.layer >= 0 ? fmt::format("layer {}", info.layer) : std::string(name_of(info.part));
}

/// The part that everything selected belongs to, where there is one.
std::string name_of_whole(const Family& family, const ParameterSelection& selection) {
  std::string name;
  for (const ParameterInfo& info : family.parameters()) {
    if (!selected(info, selection)) continue;
    const std::string part(name_of(info.part));
    if (!name.empty() && name != part) return "whole";
    name = part;
  }
  return name;
}

[[noreturn]] void nothing_matches(const Family& family, const ParameterSelection& selection) {
  std::vector<std::string> names;
  for (const ParameterInfo& info : family.parameters()) names.push_back(info.name);
  std::string pattern = selection.patterns.empty() ? std::string() : selection.patterns[0];
  std::string layers;
  for (int layer : selection.layers) layers += (layers.empty() ? "" : ", ") + std::to_string(layer);
  user_error(
      "no parameter matches parts {{{}}}, layers {{{}}}, patterns {{{}}}{}; the model has {} layers (from 0) and {} parameters, for "
      "example '{}'",
      join_words(selection.parts), layers.empty() ? "all" : layers, selection.patterns.empty() ? "all" : join_words(selection.patterns),
      did_you_mean(pattern, names), family.layers(), names.size(), names.empty() ? "" : names[names.size() / 2]);
}

}  // namespace

ParameterSelection parse_selection(const nlohmann::json& value, const std::string& where) {
  if (value.is_null()) return {};
  if (value.is_string()) return from_word(value.get<std::string>(), where);
  if (!value.is_object())
    user_error("{}: expected a part, a name pattern or a table {{parts, layers, patterns, groups}}, found {}", where, value.dump());
  ParameterSelection selection;
  for (const auto& [key, unused] : value.items()) check_word(key, keys, where, "field");
  if (value.contains("patterns")) {
    selection.patterns = words(value["patterns"], where + ": patterns");
    if (!selection.patterns.empty()) selection.parts = {"all"};
  }
  if (value.contains("parts")) selection.parts = words(value["parts"], where + ": parts");
  if (value.contains("layers")) selection.layers = layer_numbers(value["layers"], where + ": layers");
  if (value.contains("groups")) {
    if (!value["groups"].is_string()) user_error("{}: groups is {}, expected {}", where, value["groups"].dump(), join_words(groupings));
    selection.groups = value["groups"].get<std::string>();
  }
  for (const std::string& part : selection.parts) check_word(part, selectable_parts(), where, "part of a model");
  check_word(selection.groups, groupings, where, "grouping");
  return selection;
}

ParameterSet select_parameters(const Family& family, const ParameterSelection& selection) {
  ParameterSet set;
  for (const ParameterInfo& info : family.parameters()) {
    if (!selected(info, selection)) continue;
    const std::string name = group_name(info, selection);
    const int64_t begin = set.layout.total();
    set.layout.add(info.name, info.shape);
    if (set.groups.empty() || set.groups.back().name != name) set.groups.push_back({name, begin, begin});
    set.groups.back().end = set.layout.total();
  }
  if (set.layout.total() == 0) nothing_matches(family, selection);
  if (selection.groups == "whole") set.groups.front().name = name_of_whole(family, selection);
  return set;
}

}  // namespace tsrun
