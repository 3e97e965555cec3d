#include "method.h"

#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"
#include "tsrun/tune/own_parameters.h"

#include <algorithm>

namespace tsrun::layernorm {
namespace {

using nlohmann::json;

bool is_norm(const ParameterInfo& info) { return info.kind == ParameterKind::norm_weight || info.kind == ParameterKind::norm_bias; }

std::string module_of(const ParameterInfo& info) { return info.name.substr(0, info.name.rfind('.')); }

/// A target is a module's name or its end behind a dot, as in PEFT.
bool means(const std::string& target, const std::string& module) { return module == target || module.ends_with("." + target); }

void check_targets(const std::vector<std::string>& targets, const std::vector<std::string>& norms, const std::string& model) {
  std::vector<std::string> ends;
  for (const std::string& norm : norms) {
    const std::string end = norm.substr(norm.rfind('.') + 1);
    if (std::find(ends.begin(), ends.end(), end) == ends.end()) ends.push_back(end);
  }
  for (const std::string& target : targets) {
    if (std::none_of(norms.begin(), norms.end(), [&](const auto& norm) { return means(target, norm); }))
      user_error("layernorm: target_modules: '{}' matches no norm of a model of type '{}'{}; they end in {}", target, model,
                 did_you_mean(target, ends), join_words(ends));
  }
}

}  // namespace

OptionTable Method::options() const {
  return {{.name = "embeddings",
           .type = OptionType::boolean,
           .fallback = true,
           .doc = "Train the norm behind the embeddings too, where there is one."},
          {.name = "target_modules",
           .type = OptionType::list,
           .fallback = json::array(),
           .doc = "Only these norms: names of modules, or ends of names; none: all."}};
}

std::unique_ptr<Delta> Method::attach(const Family& family, const Options& options) const {
  const bool embeddings = options.flag("embeddings");
  const auto targets = options.texts("target_modules");
  const auto placed = [&](const ParameterInfo& info) {
    return is_norm(info) && (info.part == Part::encoder || info.part == Part::decoder || (embeddings && info.part == Part::embeddings));
  };
  std::vector<std::string> norms;
  for (const ParameterInfo& info : family.parameters())
    if (placed(info)) norms.push_back(module_of(info));
  check_targets(targets, norms, std::string(family.model_type()));
  return own_parameters(family, "norms", [&](const ParameterInfo& info) {
    const auto meant = [&](const std::string& target) { return means(target, module_of(info)); };
    return placed(info) && (targets.empty() || std::any_of(targets.begin(), targets.end(), meant));
  });
}

json Method::from_peft(const json& config) const {
  const auto targets = config.find("target_modules");
  if (targets == config.end() || targets->is_null()) return json::object();
  return {{"target_modules", targets->is_string() ? json::array({*targets}) : *targets}};
}

}  // namespace tsrun::layernorm
