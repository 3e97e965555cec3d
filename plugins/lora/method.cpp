#include "method.h"

#include "lora.h"
#include "tsrun/base/error.h"

#include <cmath>
#include <regex>

namespace tsrun::lora {
namespace {

using nlohmann::json;

Start start_of(const std::string& name) {
  if (name == "gaussian") return Start::gaussian;
  if (name == "orthogonal") return Start::orthogonal;
  if (name == "release") return Start::release;
  return name == "pissa" ? Start::pissa : Start::kaiming;
}

/// PEFT's patterns: a regular expression that is the module's whole name or its end behind a dot.
bool means(const std::string& pattern, const std::string& module, const std::string& where) {
  try {
    return std::regex_match(module, std::regex("(.*\\.)?(" + pattern + ")"));
  } catch (const std::regex_error&) {
    user_error("{}: '{}' is no regular expression", where, pattern);
  }
}

/// The value that `patterns` has for `module`, else `fallback`; of several that match, the longest pattern's.
double by_pattern(const json& patterns, const std::string& module, double fallback, const std::string& where) {
  size_t longest = 0;
  for (const auto& [pattern, value] : patterns.items()) {
    if (!value.is_number()) user_error("{}: '{}' is {}, expected a number", where, pattern, value.dump());
    if (pattern.size() < longest || !means(pattern, module, where)) continue;
    longest = pattern.size();
    fallback = value.get<double>();
  }
  return fallback;
}

/// Every pattern must mean a module that is adapted.
void check_patterns(const json& patterns, const std::vector<Target>& targets, const std::string& where) {
  for (const auto& [pattern, value] : patterns.items()) {
    bool used = false;
    for (const Target& target : targets) used = used || means(pattern, target.module.name, where);
    if (!used) user_error("{}: '{}' matches no adapted module", where, pattern);
  }
}

/// PEFT's init_lora_weights as a word. Starts that change the model's own weights in a way that cannot be done again here are refused.
std::string start_in_peft(const json& config) {
  const json start = config.value("init_lora_weights", json());
  if (!start.is_string()) return "";
  const auto word = start.get<std::string>();
  for (const char* changing : {"pissa_niter", "olora", "corda", "loftq"})
    if (word.starts_with(changing))
      user_error(
          "lora: init_lora_weights is '{}', which belongs to other weights of the model than those it was given; save such a delta with "
          "PEFT's path_initial_model_for_weight_conversion",
          word);
  return word;
}

}  // namespace

OptionTable Method::options() const {
  return {
      {.name = "target_modules",
       .type = OptionType::list,
       .fallback = json::array({"query", "value"}),
       .doc = "Maps that are adapted: sites, ends of module names, patterns with *, or all-linear."},
      {.name = "exclude_modules", .type = OptionType::list, .fallback = json::array(), .doc = "Maps that are not, in the same forms."},
      {.name = "r", .type = OptionType::integer, .fallback = 8, .doc = "Rank of the update.", .minimum = 1, .maximum = 4096},
      {.name = "lora_alpha", .type = OptionType::number, .fallback = 8.0, .doc = "The update is scaled by lora_alpha / r.", .minimum = 0},
      {.name = "lora_dropout",
       .type = OptionType::number,
       .fallback = 0.0,
       .doc = "Dropout of what enters A.",
       .minimum = 0,
       .maximum = 0.99},
      {.name = "use_rslora", .type = OptionType::boolean, .fallback = false, .doc = "Scale by lora_alpha / √r instead."},
      {.name = "use_dora",
       .type = OptionType::boolean,
       .fallback = false,
       .doc = "Train the length of each row of the merged weight apart."},
      {.name = "rank_pattern",
       .type = OptionType::table,
       .fallback = json::object(),
       .doc = "Other ranks by module: regular expressions for (the end of) its name; the longest that matches."},
      {.name = "alpha_pattern", .type = OptionType::table, .fallback = json::object(), .doc = "Other alphas, in the same form."},
      {.name = "init_lora_weights",
       .type = OptionType::choice,
       .fallback = "kaiming",
       .doc = "First values: with B = 0, A uniform in ±1/√inputs (kaiming) or in ±1/√r (release, as the unified-subspace paper's code), or "
              "N(0, 1/r²) (gaussian); both from random orthogonal matrices; or the weight's principal part, which is taken out of it "
              "(pissa).",
       .choices = {"kaiming", "gaussian", "orthogonal", "pissa", "release"}},
  };
}

std::unique_ptr<Delta> Method::attach(const Family& family, const Options& options) const {
  const auto targets = find_targets(family, options.texts("target_modules"), options.texts("exclude_modules"), "lora: target_modules");
  const json &ranks = options.value("rank_pattern"), &alphas = options.value("alpha_pattern");
  check_patterns(ranks, targets, "lora: rank_pattern");
  check_patterns(alphas, targets, "lora: alpha_pattern");
  std::vector<Map> maps;
  for (const Target& target : targets) {
    const std::string& name = target.module.name;
    Map map{target, static_cast<int64_t>(by_pattern(ranks, name, static_cast<double>(options.integer("r")), "lora: rank_pattern")), 0};
    if (map.rank < 1 || map.rank > std::min(target.module.inputs, target.module.outputs))
      user_error("lora: rank {} for {} [{}, {}], expected 1 to {}", map.rank, name, target.module.outputs, target.module.inputs,
                 std::min(target.module.inputs, target.module.outputs));
    if (options.text("init_lora_weights") == "orthogonal" && map.rank % 2 != 0)
      user_error("lora: rank {} for {}, expected an even one: the orthogonal start shares its rows out between A and B", map.rank, name);
    const double alpha = by_pattern(alphas, name, options.number("lora_alpha"), "lora: alpha_pattern");
    map.scale = alpha / (options.flag("use_rslora") ? std::sqrt(static_cast<double>(map.rank)) : static_cast<double>(map.rank));
    maps.push_back(std::move(map));
  }
  return std::make_unique<Lora>(std::move(maps), start_of(options.text("init_lora_weights")), options.flag("use_dora"),
                                options.number("lora_dropout"));
}

json Method::to_peft(const Options& options) const {
  json config = {{"peft_type", "LORA"}, {"bias", "none"}};
  for (const char* name : {"r", "lora_alpha", "lora_dropout", "use_rslora", "use_dora", "rank_pattern", "alpha_pattern"})
    config[name] = options.value(name);
  return config;
}

json Method::from_peft(const json& config) const {
  if (config.value("bias", "none") != "none") user_error("lora: bias is '{}', expected none", config["bias"].dump());
  const std::string start = start_in_peft(config);
  json options = json::object();
  if (start == "pissa") options["init_lora_weights"] = start;  // its base is the model less the first A and B
  for (const char* name :
       {"r", "lora_alpha", "lora_dropout", "use_rslora", "use_dora", "rank_pattern", "alpha_pattern", "target_modules", "exclude_modules"})
    if (config.contains(name) && !config[name].is_null()) options[name] = config[name];
  for (const char* name : {"target_modules", "exclude_modules"})
    if (options.contains(name) && options[name].is_string()) options[name] = json::array({options[name]});
  return options;
}

}  // namespace tsrun::lora
