#pragma once

#include "tsrun/tune/delta.h"

#include <nlohmann/json.hpp>

#include <functional>
#include <string>
#include <vector>

/// PEFT's rules for where a method acts, as options of any method.
namespace tsrun {

/// target_modules and exclude_modules; where the method has them, layers_to_transform and layers_pattern; modules_to_save; module_names.
/// `fallback` are the targets where none are given, `what` the modules that they name ("Maps that are adapted").
enum class LayerRules { none, by_number };
OptionTable module_rule_options(const nlohmann::json& fallback, const std::string& what, LayerRules layers);

/// The values of those options in PEFT's `config`.
nlohmann::json module_rules_from_peft(const nlohmann::ordered_json& config);

/// Modules that such options mean, in the model's order. A text is a regular expression of Python for the whole name, or all-linear: every
/// linear map but the output layer. Of a list, an entry is a name, or the end of one behind a dot; beyond PEFT, a site ("query") where no
/// name is so, a pattern where `*` matches any run of characters, or all-linear. With a list, layers_to_transform keeps those of its
/// layers whose whole name is no entry. exclude_modules (text or list) are left out, and so are the modules of modules_to_save and the
/// classifier. Entries of the list that mean nothing are warned of as long as another means something.
/// @throws Error(user) naming `where`, with the nearest names, when no module is meant; for an expression that is none, or that means a
/// module with weights of another kind.
enum class TargetKinds { linear, linear_and_embeddings };
std::vector<Target> find_targets(const Family& family, const Options& options, const std::string& where,
                                 TargetKinds kinds = TargetKinds::linear);

/// The parameters whose modules such options mean, whatever their kind; `usual` says which where no targets are given.
std::vector<ParameterInfo> find_parameters(const Family& family, const Options& options, const std::string& where,
                                           const std::function<bool(const ParameterInfo&)>& usual);

/// Numbers by patterns of modules' names, in order: the first pattern holds that is a module's whole name or its end behind a dot. From a
/// table (recipes' tables have no order) or from a list of pairs {pattern, number}.
class NumbersByPattern {
 public:
  /// @throws Error(user) for what is no such list, or an expression that is none.
  NumbersByPattern(const nlohmann::json& patterns, const std::string& where);
  ~NumbersByPattern();
  /// @throws Error(user) when two patterns of a table mean the module with different numbers.
  double of(const std::string& module, double fallback) const;
  /// Warns of patterns that mean none of `modules`.
  void warn_of_unused(const std::vector<std::string>& modules) const;

 private:
  struct Pattern;
  std::vector<Pattern> patterns_;
  bool ordered_ = false;
  std::string where_;
};

/// Numbers by patterns from a field of PEFT's configuration, as pairs: another table would lose the order of its keys. @throws Error(user)
nlohmann::json patterns_from_peft(const nlohmann::ordered_json& patterns, const std::string& field);
/// The same as PEFT reads them: a table whose patterns stand in the order in which they hold.
nlohmann::ordered_json patterns_in_peft(const nlohmann::json& patterns);

/// Of a module's name, what rules are written for: with module_names = "bare", without the prefix of a model without its head.
std::string rule_name(const Family& family, const Options& options, const std::string& module);

/// re.fullmatch of Python. @throws Error(user) naming `where` for an expression that is none.
bool fullmatch(const std::string& expression, const std::string& text, const std::string& where);

/// "bert." of a model whose parameters begin so but for the head's; "" where there is no such prefix.
std::string base_prefix(const Family& family);

}  // namespace tsrun
