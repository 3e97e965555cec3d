#pragma once

#include "tune/python_expression.h"

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <vector>

namespace tsrun::tune {

/// A module as rules see it.
struct RuledModule {
  std::string name;                ///< as rules write it
  std::vector<std::string> sites;  ///< whose outputs it makes
  bool linear = false;             ///< what all-linear means
};

/// One field of PEFT's rules: a regular expression for the whole name, or a list of names and ends of names.
class NameRule {
 public:
  /// `value` is a text, a list of texts, or null for none. @throws Error(user) naming `where`.
  NameRule(const nlohmann::json& value, const std::string& where);

  bool is_text() const { return !text_.empty(); }
  bool empty() const { return text_.empty() && entries_.empty(); }
  const std::vector<std::string>& entries() const { return entries_; }

  /// The expression or the first entry that means `module`. Entries that are no names of `known` may be sites.
  std::optional<std::string> meaning(const RuledModule& module, const std::vector<RuledModule>& known) const;
  /// Whether PEFT's own rule means a module of this name: no sites, no *.
  bool names(const std::string& name) const;
  static bool entry_names(const std::string& entry, const std::string& name);

 private:
  bool entry_means(const std::string& entry, const RuledModule& module, const std::vector<RuledModule>& known) const;

  std::string text_;
  bool all_linear_ = false;
  std::optional<PythonExpression> expression_;
  std::vector<std::string> entries_;
};

/// layers_to_transform and layers_pattern.
class LayerRule {
 public:
  /// @throws Error(user) naming `where`: a pattern without layers, or layers that are no whole numbers.
  LayerRule(const nlohmann::json& layers, const nlohmann::json& pattern, const std::string& where);
  bool empty() const { return layers_.empty(); }
  bool holds(const std::string& name) const;

 private:
  std::vector<int64_t> layers_;
  std::vector<PythonExpression> patterns_;
};

}  // namespace tsrun::tune
