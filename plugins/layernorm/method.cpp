#include "method.h"

#include "tsrun/base/error.h"
#include "tsrun/model/model.h"
#include "tsrun/tune/extra_deltas.h"
#include "tsrun/tune/module_rules.h"
#include "tsrun/tune/parameter_subset.h"

#include <algorithm>
#include <set>

namespace tsrun::layernorm {
namespace {

using nlohmann::json;

/// PEFT keeps a trained norm inside a module of this name.
const std::string peft_wrapper = ".ln_tuning_layers";

bool is_norm(const ParameterInfo& info) { return info.kind == ParameterKind::norm_weight || info.kind == ParameterKind::norm_bias; }

}  // namespace

OptionTable Method::options() const {
  OptionTable table = module_rule_options(json::array(), "Trained norms (none: all), or other modules as a whole", LayerRules::none);
  table.add({.name = "embeddings", .type = OptionType::boolean, .fallback = true, .doc = "Train the norm behind the embeddings too."});
  return table;
}

std::unique_ptr<Delta> Method::attach(const Family& family, const Options& options) const {
  if (std::none_of(family.parameters().begin(), family.parameters().end(), is_norm))
    user_error("layernorm: a model of type '{}' has no norms to train", family.model_type());
  const bool embeddings = options.flag("embeddings");
  std::set<std::string> chosen;
  for (const ParameterInfo& info : find_parameters(family, options, "layernorm", is_norm))
    if (embeddings || info.part != Part::embeddings) chosen.insert(info.name);
  auto delta = parameter_subset(family, "norms", [&](const ParameterInfo& info) { return chosen.contains(info.name); });
  return with_saved_modules(std::move(delta), family, options, "layernorm");
}

std::optional<PeftType> Method::peft_type() const {
  return PeftType{.name = "LN_TUNING", .honoured = {"target_modules", "exclude_modules"}};
}

json Method::options_from_peft(const nlohmann::ordered_json& config) const { return module_rules_from_peft(config); }

PeftTensor Method::tensor_from_peft(PeftTensor tensor, const Delta& /*delta*/, const Family& /*family*/) const {
  if (const auto place = tensor.name.find(peft_wrapper + "."); place != tensor.name.npos) tensor.name.erase(place, peft_wrapper.size());
  return tensor;
}

PeftFolder Method::to_peft(const Delta& delta, const Options& options, const Model& model) const {
  PeftFolder folder{{{"peft_type", "LN_TUNING"}}, {}};
  const auto saved = options.texts("modules_to_save");
  std::set<std::string> modules;
  for (const std::string& name : delta.trained_parameters()) {
    const auto dot = name.rfind('.');
    const std::string module = name.substr(0, dot);
    if (is_saved_module(saved, module)) {
      folder.add_parameter(name, model);
      continue;
    }
    modules.insert(module);
    folder.tensors.push_back({"base_model.model." + module + peft_wrapper + name.substr(dot), model.weights.at(name)});
  }
  for (const DeltaTensor& tensor : delta.tensors())
    folder.tensors.push_back({"base_model.model." + tensor.name, model.weights.at(tensor.name)});
  folder.config["target_modules"] = modules;
  return folder;
}

}  // namespace tsrun::layernorm
