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

const ParameterInfo* parameter_named(const Family& family, const std::string& name) {
  for (const ParameterInfo& info : family.parameters()) {
    if (info.name == name) return &info;
  }
  return nullptr;
}

}  // namespace

json delta_of_peft(const PluginHost& plugins, const fs::path& folder) {
  for (const char* file : {peft_config_file, peft_values_file}) {
    if (!fs::exists(folder / file)) data_error("{}: found no {}, expected a folder that PEFT saved", folder.string(), file);
  }
  const json config = read_json(folder / peft_config_file);
  const std::string type = config.value("peft_type", "");
  const DeltaMethod* method = method_of(plugins, type);
  if (!method) data_error("{}: peft_type is '{}', which no plugin has", (folder / peft_config_file).string(), type);
  const Options options = method->options().resolve(method->from_peft(config), (folder / peft_config_file).string());
  return {
      {"method", method->name()}, {"version", method->version()}, {"options", options.json()}, {"values", fs::absolute(folder).string()}};
}

void take_peft_values(const fs::path& folder, Model& model) {
  const SafetensorsFile file = SafetensorsFile::open(folder / peft_values_file);
  std::set<std::string> taken;
  for (const TensorInfo& tensor : file.tensors()) {
    const std::string name = plain_name(tensor.name);
    const ParameterInfo* info = parameter_named(*model.family, name);
    if (!info && name == "prompt_embeddings" && model.family->reader() == Reader::encoder_decoder)
      data_error(
          "{}: a prefix of an encoder-decoder, which PEFT puts in front of the decoder alone, two layers' places apart; the paper's, in "
          "front "
          "of both stacks, cannot be made of it",
          (folder / peft_values_file).string());
    if (!info) data_error("{}: '{}' fits no tensor of the model with its delta", (folder / peft_values_file).string(), tensor.name);
    at::Tensor value = as_float32(tensor);
    if (value.dim() == 2 && info->shape.size() == 2 && value.size(0) == 2 * info->shape[0] && name == "prompt_embeddings")
      value = value.narrow(0, 0, info->shape[0]);  // PEFT saves as many again for a decoder that it does not reach
    if (value.sizes().vec() != info->shape)
      data_error("{}: '{}' has shape [{}], expected [{}]", (folder / peft_values_file).string(), tensor.name, fmt::join(tensor.shape, ", "),
                 fmt::join(info->shape, ", "));
    model.weights.set(name, value);
    taken.insert(name);
  }
  for (const ParameterInfo& info : model.family->parameters()) {
    if (info.part == Part::delta && !taken.contains(info.name))
      data_error("{}: found no value of '{}'", (folder / peft_values_file).string(), info.name);
  }
}

}  // namespace tsrun
