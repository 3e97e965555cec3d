#include "tsrun/tune/module_rules.h"

#include "tsrun/base/error.h"
#include "tsrun/base/log.h"
#include "tsrun/base/suggest.h"
#include "tune/name_rule.h"

#include <algorithm>
#include <map>
#include <set>

namespace tsrun {

using nlohmann::json;

namespace tune {
namespace {

bool judges_classes(const Family& family) {
  const HeadKind head = family.head().kind;
  return head == HeadKind::classification || head == HeadKind::regression || head == HeadKind::token_classification;
}

/// Output layers, which all-linear leaves out.
bool scores(const std::string& module) { return module == "lm_head" || module == "score" || module == "classifier"; }

/// Every module that holds modules: "bert.encoder.layer.0" of "bert.encoder.layer.0.output.dense".
void add_holders(const std::string& module, std::set<std::string>& holders) {
  for (size_t dot = module.find('.'); dot != module.npos; dot = module.find('.', dot + 1)) holders.insert(module.substr(0, dot));
}

/// The rules' options, resolved for one model.
class Rules {
 public:
  Rules(const Family& family, const Options& options, const std::string& where)
      : family_(family),
        options_(options),
        where_(where),
        targets_(options.value("target_modules"), where + ": target_modules"),
        excluded_(options.value("exclude_modules"), where + ": exclude_modules"),
        layers_(options.value("layers_to_transform"), options.value("layers_pattern"), where) {
    if (targets_.is_text() && !layers_.empty())
      user_error("{}: layers_to_transform goes with a list of target_modules, and they are the text '{}'", where,
                 options.value("target_modules").get<std::string>());
    for (const std::string& name : saved_names()) saved_.emplace_back("(^|.*\\.)" + name + "($|\\..*)", where + ": modules_to_save");
    for (const Site& site : family.sites()) sites_.emplace(site.module, std::string(name_of(site.kind)));
  }

  const NameRule& targets() const { return targets_; }

  void know(const std::string& module, bool linear) {
    RuledModule ruled{rule_name(family_, options_, module), {}, linear && !scores(module)};
    const auto [first, last] = sites_.equal_range(module);
    for (auto site = first; site != last; ++site) ruled.sites.push_back(site->second);
    add_holders(ruled.name, holders_);
    known_.push_back(std::move(ruled));
  }

  /// The target that means the module number `at` of those that are known.
  std::optional<std::string> target_of(size_t at) const {
    const RuledModule& module = known_[at];
    const auto found = targets_.meaning(module, known_);
    if (!found || left_out(module)) return std::nullopt;
    const bool whole = std::find(targets_.entries().begin(), targets_.entries().end(), module.name) != targets_.entries().end();
    return layers_.empty() || whole || layers_.holds(module.name) ? found : std::nullopt;
  }

  bool leaves_out(size_t at) const { return left_out(known_[at]); }

  /// PEFT stops at a module whose kind the method does not know, and at one that only holds others.
  void refuse_if_named(const std::string& name, std::string_view expected) const {
    const RuledModule module{name, {}, false};
    if (targets_.names(name) && !left_out(module) && (layers_.empty() || layers_.holds(name)))
      user_error("{}: target_modules means '{}' too, expected {}", where_, name, expected);
  }
  void refuse_holders(std::string_view expected) const {
    for (const std::string& holder : holders_) refuse_if_named(holder, expected);
  }

  /// Warns of entries that mean nothing; refuses them where nothing is `found` at all.
  void check_entries(bool found) const {
    for (const std::string& entry : targets_.entries()) {
      if (means_something(entry)) continue;
      const std::string text = fmt::format("{}: target_modules: '{}' matches no possible target of the model{}; there are {}", where_,
                                           entry, did_you_mean(entry, known_names()), join_words(known_names()));
      if (!found) user_error("{}", text);
      log_warning("{}", text);
    }
    if (!excluded_.empty() && std::none_of(known_.begin(), known_.end(), [&](const auto& m) { return excluded_.meaning(m, known_); }))
      log_warning("{}: exclude_modules is {} and leaves nothing out", where_, options_.value("exclude_modules").dump());
    if (found) return;
    if (targets_.empty()) user_error("{}: no target_modules are given; there are {}", where_, join_words(known_names()));
    user_error(
        "{}: target_modules is {}, which means no module of the model, or only such as are left out by exclude_modules, "
        "layers_to_transform or modules_to_save",
        where_, options_.value("target_modules").dump());
  }

 private:
  std::vector<std::string> saved_names() const {
    std::vector<std::string> names = options_.texts("modules_to_save");
    if (judges_classes(family_)) names.insert(names.end(), {"classifier", "score"});
    return names;
  }

  bool left_out(const RuledModule& module) const {
    if (excluded_.meaning(module, known_)) return true;
    return std::any_of(saved_.begin(), saved_.end(), [&](const auto& saved) { return saved.match(module.name); });
  }

  bool means_something(const std::string& entry) const {
    const NameRule alone(json::array({entry}), where_);
    return std::any_of(known_.begin(), known_.end(), [&](const auto& module) { return alone.meaning(module, known_).has_value(); });
  }

  /// Everything that a target could have been.
  std::vector<std::string> known_names() const {
    std::vector<std::string> names = {"all-linear"};
    const auto add = [&](const std::string& name) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    };
    for (const RuledModule& module : known_)
      for (const std::string& site : module.sites) add(site);
    for (const RuledModule& module : known_) add(module.name.substr(module.name.rfind('.') + 1));
    return names;
  }

  const Family& family_;
  const Options& options_;
  std::string where_;
  NameRule targets_, excluded_;
  LayerRule layers_;
  std::vector<PythonExpression> saved_;
  std::multimap<std::string, std::string> sites_;
  std::vector<RuledModule> known_;
  std::set<std::string> holders_;
};

std::string module_of_parameter(const ParameterInfo& info) { return info.name.substr(0, info.name.rfind('.')); }

}  // namespace

}  // namespace tune

std::string rule_name(const Family& family, const Options& options, const std::string& module) {
  if (!options.has("module_names") || options.text("module_names") != "bare") return module;
  const std::string prefix = base_prefix(family);
  return module.starts_with(prefix) ? module.substr(prefix.size()) : module;
}

std::vector<Target> find_targets(const Family& family, const Options& options, const std::string& where, TargetKinds kinds) {
  tune::Rules rules(family, options, where);
  std::vector<LinearModule> modules = linear_modules(family);
  const bool tables = kinds == TargetKinds::linear_and_embeddings;
  const std::string_view expected = tables ? "linear maps and tables of embeddings" : "linear maps";
  const auto others = embedding_modules(family);
  if (tables) modules.insert(modules.begin(), others.begin(), others.end());
  for (const LinearModule& module : modules) rules.know(module.name, !module.embedding);
  std::vector<Target> found;
  for (size_t at = 0; at < modules.size(); ++at)
    if (const auto target = rules.target_of(at)) found.push_back({*target, modules[at]});
  rules.check_entries(!found.empty());
  rules.refuse_holders(expected);
  for (const ParameterInfo& info : family.parameters()) {
    const bool inner_table = info.kind == ParameterKind::embedding && info.part != Part::embeddings;
    if (info.kind == ParameterKind::norm_weight || inner_table)
      rules.refuse_if_named(rule_name(family, options, tune::module_of_parameter(info)), expected);
  }
  if (!tables)
    for (const LinearModule& module : others) rules.refuse_if_named(rule_name(family, options, module.name), expected);
  return found;
}

std::vector<Target> find_targets(const Family& family, const std::vector<std::string>& targets, const std::vector<std::string>& excluded,
                                 const std::string& where) {
  return find_targets(family, Options({{"target_modules", targets}, {"exclude_modules", excluded}}), where);
}

std::vector<ParameterInfo> find_parameters(const Family& family, const Options& options, const std::string& where,
                                           const std::function<bool(const ParameterInfo&)>& usual) {
  std::vector<ParameterInfo> found, candidates;
  tune::Rules rules(family, options, where);
  for (const ParameterInfo& info : family.parameters())
    if (info.part != Part::head && info.part != Part::delta) candidates.push_back(info);
  for (const ParameterInfo& info : candidates) rules.know(tune::module_of_parameter(info), false);
  for (size_t at = 0; at < candidates.size(); ++at)
    if (rules.targets().empty() ? usual(candidates[at]) && !rules.leaves_out(at) : rules.target_of(at).has_value())
      found.push_back(candidates[at]);
  if (rules.targets().empty()) return found;
  rules.check_entries(!found.empty());
  rules.refuse_holders("modules with parameters of their own");
  return found;
}

OptionTable module_rule_options(const json& fallback, const std::string& what, LayerRules layers) {
  OptionTable table = {
      {.name = "target_modules",
       .type = OptionType::list,
       .fallback = fallback,
       .doc =
           what + ": a text is a regular expression for whole names, or all-linear; a list has ends of names, sites, and patterns with *.",
       .choices = {"text"}},
      {.name = "exclude_modules",
       .type = OptionType::list,
       .fallback = json::array(),
       .doc = "Excluded modules, in the same forms.",
       .choices = {"text"}},
      {.name = "modules_to_save",
       .type = OptionType::list,
       .fallback = json::array(),
       .doc = "Ends of names of fully trained modules, beside the head; they are not targets."},
      {.name = "module_names",
       .type = OptionType::choice,
       .fallback = "whole",
       .doc = "Names for regular expressions: full names (whole), or names in the model without its head (bare: encoder.… for "
              "bert.encoder.…).",
       .choices = {"whole", "bare"}},
  };
  if (layers == LayerRules::none) return table;
  table.add({.name = "layers_to_transform",
             .type = OptionType::list,
             .doc = "Only these layers (0-based); requires a list of targets.",
             .choices = {"integer"}});
  table.add({.name = "layers_pattern",
             .type = OptionType::list,
             .doc = "Text before the layer's number in names, where the first number is another one.",
             .choices = {"text"}});
  return table;
}

json module_rules_from_peft(const nlohmann::ordered_json& config) {
  json options = json::object();
  for (const char* name : {"target_modules", "exclude_modules", "modules_to_save", "layers_to_transform", "layers_pattern"})
    if (config.contains(name) && !config[name].is_null()) options[name] = config[name];
  if (options.contains("modules_to_save") && options["modules_to_save"].is_string())
    options["modules_to_save"] = json::array({options["modules_to_save"]});
  return options;
}

}  // namespace tsrun
