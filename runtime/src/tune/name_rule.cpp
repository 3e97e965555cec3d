#include "tune/name_rule.h"

#include "tsrun/base/error.h"
#include "tune/patterns.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

namespace tsrun::tune {
namespace {

using nlohmann::json;
constexpr const char* every_linear = "all-linear";

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

/// A text or a list of texts; null: none.
std::vector<std::string> texts_of(const json& value, const std::string& where) {
  if (value.is_null()) return {};
  if (value.is_string()) return {value.get<std::string>()};
  std::vector<std::string> texts;
  for (const json& item : value.is_array() ? value : json::array({nullptr})) {
    if (!item.is_string()) user_error("{}: found {}, expected text or a list of texts", where, value.dump());
    texts.push_back(item.get<std::string>());
  }
  return texts;
}

}  // namespace

NameRule::NameRule(const json& value, const std::string& where) : entries_(texts_of(value, where)) {
  if (!value.is_string()) return;
  text_ = entries_.front();
  entries_.clear();
  all_linear_ = lower_case(text_) == every_linear;
  if (!all_linear_ && !text_.empty()) expression_.emplace(text_, where);
}

bool NameRule::entry_names(const std::string& entry, const std::string& name) { return name == entry || name.ends_with("." + entry); }

bool NameRule::names(const std::string& name) const {
  if (expression_) return expression_->fullmatch(name);
  return std::any_of(entries_.begin(), entries_.end(), [&](const auto& entry) { return entry_names(entry, name); });
}

bool NameRule::entry_means(const std::string& entry, const RuledModule& module, const std::vector<RuledModule>& known) const {
  if (entry == every_linear) return module.linear;
  if (entry.find('*') != entry.npos) return matches(entry, module.name);
  if (entry_names(entry, module.name)) return true;
  if (std::find(module.sites.begin(), module.sites.end(), entry) == module.sites.end()) return false;
  return std::none_of(known.begin(), known.end(), [&](const auto& other) { return entry_names(entry, other.name); });
}

std::optional<std::string> NameRule::meaning(const RuledModule& module, const std::vector<RuledModule>& known) const {
  if (all_linear_) return module.linear ? std::optional(text_) : std::nullopt;
  if (expression_) return expression_->fullmatch(module.name) ? std::optional(text_) : std::nullopt;
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const auto& entry) { return entry_means(entry, module, known); });
  return found == entries_.end() ? std::nullopt : std::optional(*found);
}

LayerRule::LayerRule(const json& layers, const json& pattern, const std::string& where) {
  auto patterns = texts_of(pattern, where + ": layers_pattern");
  std::erase(patterns, "");
  if (layers.is_null() && !patterns.empty()) user_error("{}: layers_pattern is given without layers_to_transform", where);
  for (const json& layer : layers.is_array() ? layers : layers.is_null() ? json::array() : json::array({layers})) {
    const bool whole = layer.is_number_integer() || (layer.is_number_float() && layer == std::floor(layer.get<double>()));
    if (!whole) user_error("{}: layers_to_transform holds {}, expected whole numbers", where, layer.dump());
    layers_.push_back(layer.get<int64_t>());
  }
  for (const std::string& one : patterns) patterns_.emplace_back("(?:^|.*?\\.)" + one + "\\.(\\d+)\\.", where + ": layers_pattern");
  if (patterns_.empty()) patterns_.emplace_back(".*?\\.[^.]*\\.(\\d+)\\.", where);
}

bool LayerRule::holds(const std::string& name) const {
  for (const PythonExpression& pattern : patterns_) {
    const auto number = pattern.last_group(name);
    if (!number) continue;
    int64_t layer = -1;
    std::from_chars(number->data(), number->data() + number->size(), layer);
    return std::find(layers_.begin(), layers_.end(), layer) != layers_.end();
  }
  return false;
}

}  // namespace tsrun::tune
