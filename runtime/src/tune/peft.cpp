#include "tsrun/tune/peft.h"

#include "tsrun/base/error.h"
#include "tsrun/model/model.h"
#include "tsrun/tune/delta.h"

#include <algorithm>

namespace tsrun {
namespace {

const char* const model_prefix = "base_model.model.";

std::set<std::string> modules_with(const Delta& delta, const std::vector<std::string>& suffixes) {
  std::set<std::string> modules;
  for (const auto& tensors : {delta.tensors(), delta.constants()})
    for (const DeltaTensor& tensor : tensors)
      for (const std::string& suffix : suffixes)
        if (tensor.name.ends_with(suffix)) modules.insert(tensor.name.substr(0, tensor.name.size() - suffix.size()));
  return modules;
}

bool any_transposed(const Family& family, const std::set<std::string>& modules) {
  const auto maps = linear_modules(family);
  return std::any_of(maps.begin(), maps.end(), [&](const LinearModule& map) { return map.transposed && modules.contains(map.name); });
}

}  // namespace

void PeftFolder::add_parameter(const std::string& name, const Model& model) {
  const auto dot = name.rfind('.');
  const std::string module = name.substr(0, dot);
  tensors.push_back({model_prefix + module + (adapted.contains(module) ? ".base_layer" : "") + name.substr(dot), model.weights.at(name)});
}

PeftFolder DeltaMethod::to_peft(const Delta& delta, const Options& /*options*/, const Model& model) const {
  const auto type = peft_type();
  if (!type) user_error("export: PEFT has no method '{}'; form = \"merged\" may do", name());
  return peft_folder(type->name, delta, model);
}

PeftFolder peft_folder(const std::string& type, const Delta& delta, const Model& model, const std::vector<std::string>& suffixes) {
  PeftFolder folder{{{"peft_type", type}}, {}};
  for (const DeltaTensor& tensor : delta.tensors()) folder.tensors.push_back({model_prefix + tensor.name, model.weights.at(tensor.name)});
  for (const DeltaTensor& constant : delta.constants())
    folder.tensors.push_back({model_prefix + constant.name, model.weights.at(constant.name)});
  folder.adapted = modules_with(delta, suffixes);
  if (!suffixes.empty()) {
    folder.config["target_modules"] = folder.adapted;
    folder.config["fan_in_fan_out"] = any_transposed(*model.family, folder.adapted);
  }
  for (const std::string& name : delta.trained_parameters()) folder.add_parameter(name, model);
  return folder;
}

}  // namespace tsrun
