#include "experiment/peft.h"
#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/tune/extra_deltas.h"

#include <ATen/core/grad_mode.h>

#include <map>
#include <set>

namespace tsrun::experiment {
namespace {

using nlohmann::ordered_json;

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

PeftFolder folder_of_delta(const DeltaMethod& method, const Options& options, const Model& model) {
  return method.to_peft(*method.attach(*model.family, options), options, model);
}

/// What is written: the delta's folder with what of the model belongs to it.
class PeftWriter {
 public:
  PeftWriter(const DeltaMethod& method, const Options& options, const Model& model, const std::vector<std::string>& moved)
      : model_(model), folder_(folder_of_delta(method, options, model)) {
    folder_.config["task_type"] = task_type(model.family->head().kind);
    folder_.config["inference_mode"] = true;
    add_moved(moved);
    add_head();
    if (options.has("modules_to_save")) add_saved_names(options.texts("modules_to_save"));
    if (!saved_.empty()) folder_.config["modules_to_save"] = saved_;
  }

  ordered_json config(const std::string& base) const {
    const std::map<std::string, ordered_json> sorted = folder_.config.get<std::map<std::string, ordered_json>>();
    ordered_json config = ordered_json::object();
    for (const auto& [field, value] : sorted) config[field] = value;
    config["base_model_name_or_path"] = base;
    return config;
  }

  void write_tensors(const std::filesystem::path& file) const {
    std::vector<at::Tensor> values;
    std::vector<TensorInfo> tensors;
    std::set<std::string> names;
    for (const auto& [name, value] : folder_.tensors) {
      if (!names.insert(name).second) continue;
      values.push_back(value.detach().cpu().contiguous());
      tensors.push_back(as_info(name, values.back()));
    }
    write_safetensors(file, tensors, {{"format", "pt"}});
  }

 private:
  /// What else is not as in the model's folder: modules_to_save, or inside an adapted module.
  void add_moved(const std::vector<std::string>& names) {
    std::set<std::string> shared;
    for (const auto& modules : {linear_modules(*model_.family), embedding_modules(*model_.family)})
      for (const LinearModule& module : modules)
        if (module.shared) shared.insert(module.weight);
    std::set<std::string> modules;
    for (const std::string& name : names) {
      if (folder_.prompt_learning || shared.contains(name))
        user_error("export: '{}' is not what it is in the model's folder, or is not there, and a folder of PEFT has no place for it here",
                   name);
      const std::string module = name.substr(0, name.rfind('.'));
      if (folder_.adapted.contains(module)) {
        folder_.add_parameter(name, model_);
      } else {
        modules.insert(module);
      }
    }
    for (const ParameterInfo& info : model_.family->parameters())
      if (modules.contains(info.name.substr(0, info.name.rfind('.')))) folder_.add_parameter(info.name, model_);
    saved_.insert(modules.begin(), modules.end());
  }

  /// modules_to_save as it was given, but for the names of modules that the model lacks.
  void add_saved_names(const std::vector<std::string>& names) {
    for (const ParameterInfo& info : model_.family->parameters()) {
      const std::string module = info.name.substr(0, info.name.rfind('.'));
      const bool trained = info.part == Part::head || info.part == Part::delta ? info.name == "lm_head.weight" : true;
      if (trained && is_saved_module(names, module) && !folder_.adapted.contains(module)) saved_.insert(module);
    }
  }

  void add_head() {
    bool any = false;
    for (const ParameterInfo& info : model_.family->parameters()) {
      if (info.part != Part::head) continue;
      any = true;
      if (folder_.prompt_learning) {
        folder_.tensors.push_back({"base_model." + info.name, model_.weights.at(info.name)});
      } else {
        folder_.add_parameter(info.name, model_);
      }
      if (!folder_.adapted.contains(info.name.substr(0, info.name.rfind('.')))) saved_.insert(info.name.substr(0, info.name.find('.')));
    }
    const HeadKind kind = model_.family->head().kind;
    if (any && folder_.prompt_learning && kind != HeadKind::classification && kind != HeadKind::regression &&
        kind != HeadKind::token_classification)
      user_error("export: PEFT keeps a head beside a prompt or a prefix for classification alone, and this {} model has one of its own",
                 name_of(kind));
  }

  const Model& model_;
  PeftFolder folder_;
  std::set<std::string> saved_;
};

}  // namespace

void save_peft(const PluginHost& plugins, const DeltaRef& delta, const Model& model, const std::string& base,
               const std::filesystem::path& folder, const std::vector<std::string>& moved) {
  const at::NoGradGuard no_grad;
  const PeftWriter peft(plugins.delta(delta.method), delta.options, model, moved);
  std::filesystem::create_directories(folder);
  write_durable(folder / peft_config_file, peft.config(base).dump(2) + "\n");
  peft.write_tensors(folder / peft_values_file);
}

}  // namespace tsrun::experiment
