#include "experiment/peft.h"

#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/base/suggest.h"

#include <ATen/core/Tensor.h>

#include <set>

namespace tsrun {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;
constexpr const char *config_file = "adapter_config.json", *values_file = "adapter_model.safetensors";

const DeltaMethod* method_of(const PluginHost& plugins, const std::string& peft_type) {
  for (const PluginInfo& info : plugins.plugins()) {
    if (info.kind != "delta") continue;
    const DeltaMethod& method = plugins.delta(info.name);
    const json config = method.to_peft(method.options().resolve(json::object(), info.name));
    if (config.is_object() && config.value("peft_type", "") == peft_type) return &method;
  }
  return nullptr;
}

/// A parameter's name from PEFT's: without the wrappers' prefixes and what names the adapter's own modules.
std::string plain_name(std::string name) {
  for (const char* prefix : {"base_model.model.", "base_model."}) {
    if (name.starts_with(prefix)) {
      name.erase(0, std::string(prefix).size());
      break;
    }
  }
  for (const char* inner : {".modules_to_save", ".ln_tuning_layers"}) {
    if (const auto place = name.find(inner); place != name.npos) name.erase(place, std::string(inner).size());
  }
  return name;
}

std::string peft_name(const ParameterInfo& info) { return "base_model.model." + info.name; }

const ParameterInfo* parameter_named(const Family& family, const std::string& name) {
  for (const ParameterInfo& info : family.parameters()) {
    if (info.name == name) return &info;
  }
  return nullptr;
}

const char* task_type(HeadKind head) {
  switch (head) {
    case HeadKind::classification:
    case HeadKind::regression:
      return "SEQ_CLS";
    case HeadKind::token_classification:
      return "TOKEN_CLS";
    case HeadKind::causal_lm:
      return "CAUSAL_LM";
    case HeadKind::seq2seq_lm:
      return "SEQ_2_SEQ_LM";
    default:
      return "FEATURE_EXTRACTION";
  }
}

/// Modules that have low-rank factors.
json adapted_modules(const Family& family) {
  const std::string factor = ".lora_A.weight";
  json modules = json::array();
  for (const ParameterInfo& info : family.parameters())
    if (info.name.ends_with(factor)) modules.push_back(info.name.substr(0, info.name.size() - factor.size()));
  return modules;
}

}  // namespace

json delta_of_peft(const PluginHost& plugins, const fs::path& folder) {
  for (const char* file : {config_file, values_file}) {
    if (!fs::exists(folder / file)) data_error("{}: found no {}, expected a folder that PEFT saved", folder.string(), file);
  }
  const json config = read_json(folder / config_file);
  const std::string type = config.value("peft_type", "");
  const DeltaMethod* method = method_of(plugins, type);
  if (!method) data_error("{}: peft_type is '{}', which no plugin has", (folder / config_file).string(), type);
  const Options options = method->options().resolve(method->from_peft(config), (folder / config_file).string());
  return {
      {"method", method->name()}, {"version", method->version()}, {"options", options.json()}, {"values", fs::absolute(folder).string()}};
}

void take_peft_values(const fs::path& folder, Model& model) {
  const SafetensorsFile file = SafetensorsFile::open(folder / values_file);
  std::set<std::string> taken;
  for (const TensorInfo& tensor : file.tensors()) {
    const std::string name = plain_name(tensor.name);
    const ParameterInfo* info = parameter_named(*model.family, name);
    if (!info) data_error("{}: '{}' fits no tensor of the model with its delta", (folder / values_file).string(), tensor.name);
    at::Tensor value = as_float32(tensor);
    if (value.dim() == 2 && info->shape.size() == 2 && value.size(0) == 2 * info->shape[0] && name == "prompt_embeddings")
      value = value.narrow(0, 0, info->shape[0]);  // PEFT saves as many again for a decoder that it does not reach
    if (value.sizes().vec() != info->shape)
      data_error("{}: '{}' has shape [{}], expected [{}]", (folder / values_file).string(), tensor.name, fmt::join(tensor.shape, ", "),
                 fmt::join(info->shape, ", "));
    model.weights.set(name, value);
    taken.insert(name);
  }
  for (const ParameterInfo& info : model.family->parameters()) {
    if (info.part == Part::delta && !taken.contains(info.name))
      data_error("{}: found no '{}'", (folder / values_file).string(), peft_name(info));
  }
}

void save_peft(const PluginHost& plugins, const json& delta, const Model& model, const std::string& base, const fs::path& folder) {
  const DeltaMethod& method = plugins.delta(delta.at("method"));
  const Options options(delta.at("options"));
  if (method.name() != "lora")
    user_error("export: folders of PEFT are written for lora, not for '{}'; form = \"merged\" may do", method.name());
  if (options.text("init_lora_weights") == "pissa")
    user_error(
        "export: pissa took its first values out of the model's weights, which a folder of PEFT does not hold; use form = \"merged\"");
  json config = method.to_peft(options);
  config["base_model_name_or_path"] = base;
  config["task_type"] = task_type(model.family->head().kind);
  config["inference_mode"] = true;
  config["target_modules"] = adapted_modules(*model.family);
  std::vector<at::Tensor> kept;
  std::vector<TensorInfo> tensors;
  std::set<std::string> heads;
  for (const ParameterInfo& info : model.family->parameters()) {
    if (info.part != Part::delta && info.part != Part::head) continue;
    if (info.part == Part::head) heads.insert(info.name.substr(0, info.name.find('.')));
    kept.push_back(model.weights.at(info.name).detach().cpu().contiguous());
    tensors.push_back(as_info(peft_name(info), kept.back()));
  }
  if (!heads.empty()) config["modules_to_save"] = heads;
  fs::create_directories(folder);
  write_durable(folder / config_file, config.dump(2) + "\n");
  write_safetensors(folder / values_file, tensors, {{"format", "pt"}});
}

}  // namespace tsrun
