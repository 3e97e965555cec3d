#include "tsrun/base/error.h"
#include "tsrun/base/log.h"
#include "tsrun/tune/module_rules.h"
#include "tune/python_expression.h"

#include <algorithm>

namespace tsrun {

using nlohmann::json;

struct NumbersByPattern::Pattern {
  std::string text;
  double number = 0;
  tune::PythonExpression expression;
};

NumbersByPattern::NumbersByPattern(const json& patterns, const std::string& where) : ordered_(patterns.is_array()), where_(where) {
  const auto add = [&](const std::string& text, const json& number) {
    if (!number.is_number()) user_error("{}: '{}' is {}, expected a number", where, text, number.dump());
    patterns_.push_back({text, number.get<double>(), tune::PythonExpression("(.*\\.)?(" + text + ")", where)});
  };
  if (patterns.is_null()) return;
  if (!ordered_) {
    for (const auto& [text, number] : patterns.items()) add(text, number);
    return;
  }
  for (const json& pair : patterns) {
    if (!pair.is_array() || pair.size() != 2 || !pair[0].is_string())
      user_error("{}: found {}, expected pairs {{ \"pattern\", number }}", where, pair.dump());
    add(pair[0].get<std::string>(), pair[1]);
  }
}

NumbersByPattern::~NumbersByPattern() = default;

double NumbersByPattern::of(const std::string& name, double fallback) const {
  const Pattern* first = nullptr;
  for (const Pattern& pattern : patterns_) {
    if (!pattern.expression.fullmatch(name)) continue;
    if (ordered_) return pattern.number;
    if (first && first->number != pattern.number)
      user_error("{}: '{}' and '{}' both mean {}, and a table has no order; give pairs: {{ {{ \"{}\", {} }}, {{ \"{}\", {} }} }}", where_,
                 first->text, pattern.text, name, first->text, first->number, pattern.text, pattern.number);
    first = &pattern;
  }
  return first ? first->number : fallback;
}

void NumbersByPattern::warn_of_unused(const std::vector<std::string>& names) const {
  for (const Pattern& pattern : patterns_)
    if (std::none_of(names.begin(), names.end(), [&](const auto& name) { return pattern.expression.fullmatch(name); }))
      log_warning("{}: '{}' means no adapted module", where_, pattern.text);
}

nlohmann::json patterns_from_peft(const nlohmann::ordered_json& patterns, const std::string& field) {
  if (!patterns.is_object()) user_error("{} is {}, expected an object", field, patterns.dump());
  nlohmann::json pairs = nlohmann::json::array();
  for (const auto& [pattern, number] : patterns.items()) pairs.push_back({pattern, nlohmann::json(number)});
  return pairs;
}

nlohmann::ordered_json patterns_in_peft(const nlohmann::json& patterns) {
  if (!patterns.is_array()) return patterns;
  nlohmann::ordered_json object = nlohmann::ordered_json::object();
  for (const auto& pair : patterns) {
    const std::string pattern = pair.at(0);
    if (!object.contains(pattern)) object[pattern] = pair.at(1);
  }
  return object;
}

}  // namespace tsrun
