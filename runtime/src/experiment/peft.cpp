#include "experiment/peft.h"

#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/experiment/peft_config.h"

namespace tsrun::experiment {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

const DeltaMethod* method_of(const PluginHost& plugins, const std::string& peft_type) {
  for (const PluginInfo& info : plugins.plugins()) {
    if (info.kind != "delta") continue;
    const DeltaMethod& method = plugins.delta(info.name);
    if (const auto type = method.peft_type(); type && type->name == peft_type) return &method;
  }
  return nullptr;
}

void check_files(const fs::path& folder) {
  const fs::path pickle = folder / "adapter_model.bin";
  if (!fs::exists(folder / peft_values_file) && fs::exists(pickle))
    data_error(
        "{0}: is a Python pickle, which can run any code when it is read; tsrun reads {1} only. Convert it where you trust it:\n"
        "  python3 -c \"import torch, safetensors.torch as s; d = torch.load('{0}', map_location='cpu', weights_only=True); "
        "s.save_file({{k: v.clone().contiguous() for k, v in d.items()}}, '{2}', metadata={{'format': 'pt'}})\"",
        pickle.string(), peft_values_file, (folder / peft_values_file).string());
  for (const char* file : {peft_config_file, peft_values_file})
    if (!fs::exists(folder / file)) data_error("{}: found no {}, expected a folder that PEFT saved", folder.string(), file);
}

/// Runs `call`; what it says of options is the file's fault, not the user's.
template <class Call>
auto blaming(const fs::path& file, Call&& call) {
  try {
    return call();
  } catch (const Error& error) {
    const std::string text = error.what(), where = file.string();
    if (error.kind() != ErrorKind::user) throw;
    throw Error(ErrorKind::data, text.starts_with(where) ? text : where + ": " + text);
  }
}

/// Whether names of modules in a folder are those of the model without its head ("encoder.layer.0.…"), as AutoModel's are.
bool has_bare_names(const fs::path& folder) {
  const SafetensorsFile file = SafetensorsFile::open(folder / peft_values_file);
  for (const TensorInfo& tensor : file.tensors())
    for (const std::string_view beginning :
         {"encoder.layer.", "embeddings.", "embeddings_project.", "transformer.layer.", "h.", "wte.", "wpe.", "layers.", "embed_tokens."})
      if (tensor.name.starts_with("base_model.model." + std::string(beginning))) return true;
  return false;
}

json options_in_peft(const DeltaMethod& method, const fs::path& folder, const nlohmann::ordered_json& config) {
  json given = method.options_from_peft(config);
  if (method.options().find("module_names") && has_bare_names(folder)) given["module_names"] = "bare";
  return method.options().resolve(given, (folder / peft_config_file).string()).json();
}

}  // namespace

DeltaRef delta_of_peft(const PluginHost& plugins, const fs::path& folder) {
  check_files(folder);
  const fs::path file = folder / peft_config_file;
  const nlohmann::ordered_json config = read_peft_config(file);
  const std::string type = config.at("peft_type");
  const DeltaMethod* method = method_of(plugins, type);
  if (!method) data_error("{}: peft_type is '{}', which no plugin has", file.string(), type);
  check_peft_fields(config, *method->peft_type(), file.string());
  const json options = blaming(file, [&] { return options_in_peft(*method, folder, config); });
  return {.method = method->name(),
          .version = method->version(),
          .options = Options(options),
          .seed = {},
          .values = fs::absolute(folder).string(),
          .content = {}};
}

std::unique_ptr<Delta> attach_delta(const PluginHost& plugins, const DeltaRef& ref, const Family& family) {
  const DeltaMethod& method = plugins.delta(ref.method);
  if (method.version() != ref.version)
    data_error("the delta '{}' was attached by version {} of its method, which is at {} now", method.name(), ref.version, method.version());
  const auto attach = [&] { return method.attach(family, ref.options); };
  return ref.values ? blaming(fs::path(*ref.values) / peft_config_file, attach) : attach();
}

}  // namespace tsrun::experiment
