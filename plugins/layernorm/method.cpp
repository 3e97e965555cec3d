#include "method.h"

#include "tsrun/tune/extra_deltas.h"
#include "tsrun/tune/module_rules.h"
#include "tsrun/tune/own_parameters.h"

#include <set>

namespace tsrun::layernorm {
namespace {

using nlohmann::json;

bool is_norm(const ParameterInfo& info) { return info.kind == ParameterKind::norm_weight || info.kind == ParameterKind::norm_bias; }

}  // namespace

OptionTable Method::options() const {
  OptionTable table = module_rule_options(json::array(), "Norms that are trained (none: all), or other modules, whole", LayerRules::none);
  table.add({.name = "embeddings",
             .type = OptionType::boolean,
             .fallback = true,
             .doc = "Train the norm behind the embeddings too, where there is one."});
  return table;
}

std::unique_ptr<Delta> Method::attach(const Family& family, const Options& options) const {
  const bool embeddings = options.flag("embeddings");
  std::set<std::string> chosen;
  for (const ParameterInfo& info : find_parameters(family, options, "layernorm", is_norm))
    if (embeddings || info.part != Part::embeddings) chosen.insert(info.name);
  auto delta = own_parameters(family, "norms", [&](const ParameterInfo& info) { return chosen.contains(info.name); });
  return with_saved_modules(std::move(delta), family, options, "layernorm");
}

json Method::from_peft(const json& config) const { return module_rules_from_peft(config); }

}  // namespace tsrun::layernorm
