#include "tsrun/base/error.h"
#include "tsrun/model/model.h"
#include "tsrun/tune/weight_update.h"

#include <algorithm>

namespace tsrun {
namespace {

const std::string in_model = "base_model.model.", beside_model = "base_model.";

void refuse_transposed(const UpdateExchange& method, const PeftFolder& folder, const Family& family) {
  for (const LinearModule& module : linear_modules(family))
    if (module.transposed && folder.adapted.contains(module.name))
      user_error("export: {} stores [inputs, outputs], and PEFT's {} knows no such modules; use form = \"merged\"", module.name,
                 method.type);
}

}  // namespace

PeftType UpdateExchange::peft_type(std::set<std::string> refused, std::set<std::string> idle) const {
  std::set<std::string> honoured = {"target_modules", "exclude_modules", "layers_to_transform", "layers_pattern"};
  honoured.insert(fields.begin(), fields.end());
  honoured.insert(patterns.begin(), patterns.end());
  idle.insert({"fan_in_fan_out", "init_weights"});
  return {.name = type, .honoured = std::move(honoured), .refused = std::move(refused), .idle = std::move(idle)};
}

nlohmann::json UpdateExchange::options_from_peft(const nlohmann::ordered_json& config) const {
  nlohmann::json options = module_rules_from_peft(config);
  for (const std::string& field : fields)
    if (config.contains(field) && !config[field].is_null()) options[field] = config[field];
  for (const std::string& field : patterns)
    if (config.contains(field) && !config[field].is_null()) options[field] = patterns_from_peft(config[field], field);
  return options;
}

PeftFolder UpdateExchange::to_peft(const Delta& delta, const Options& options, const Model& model) const {
  PeftFolder folder = peft_folder(type, delta, model, endings);
  if (!of_transposed) {
    refuse_transposed(*this, folder, *model.family);
    folder.config.erase("fan_in_fan_out");
  }
  for (PeftTensor& tensor : folder.tensors) {
    const std::string name = tensor.name.substr(in_model.size());
    const auto stands_alone = [&](const std::string& beginning) { return name.starts_with(beginning); };
    if (std::any_of(shared.begin(), shared.end(), stands_alone)) tensor.name = beside_model + name;
  }
  for (const std::string& field : fields) folder.config[field] = options.value(field);
  for (const std::string& field : patterns) folder.config[field] = patterns_in_peft(options.value(field));
  return folder;
}

}  // namespace tsrun
