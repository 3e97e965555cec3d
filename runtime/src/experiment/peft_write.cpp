#include "experiment/peft.h"
#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/tune/extra_deltas.h"

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>

#include <set>

namespace tsrun {
namespace {

using nlohmann::json;

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

/// What is written: PEFT's configuration, and its tensors by its names.
class PeftFolder {
 public:
  PeftFolder(const DeltaMethod& method, const Options& options, const Model& model, const std::vector<std::string>& moved)
      : model_(model), delta_(method.attach(*model.family, options)), config_(method.to_peft(options)) {
    if (!config_.is_object()) user_error("export: PEFT has no method '{}'; form = \"merged\" may do", method.name());
    config_["task_type"] = task_type(model.family->head().kind);
    config_["inference_mode"] = true;
    const std::string type = config_.at("peft_type");
    if (type == "LORA") {
      add_lora(options);
    } else if (type == "IA3") {
      add_ia3();
    } else if (type == "LN_TUNING") {
      add_norms(options);
    } else if (type == "PROMPT_TUNING") {
      add_prompt();
    } else if (type == "PREFIX_TUNING") {
      add_prefix();
    } else {
      add_tensors({});  // a plugin's own, under the names that it gave them
    }
    const bool learns_prompts = type == "PROMPT_TUNING" || type == "PREFIX_TUNING";
    if (!learns_prompts && type != "LN_TUNING") add_trained_parameters();
    add_moved(moved, learns_prompts);
    add_head(learns_prompts);
    if (options.has("modules_to_save")) add_saved_names(options.texts("modules_to_save"));
    if (!saved_.empty()) config_["modules_to_save"] = saved_;
  }

  const json& config() const { return config_; }
  void write(const std::filesystem::path& folder) const {
    std::vector<TensorInfo> tensors;
    for (const auto& [name, tensor] : tensors_) tensors.push_back(as_info(name, tensor));
    write_safetensors(folder / peft_values_file, tensors, {{"format", "pt"}});
  }

 private:
  void add(const std::string& name, const at::Tensor& tensor) {
    if (added_.insert(name).second) tensors_.emplace_back(name, tensor.detach().cpu().contiguous());
  }

  /// The delta's tensors under their own names. Returns the modules that have one ending in one of `suffixes`.
  std::set<std::string> add_tensors(const std::vector<std::string>& suffixes) {
    std::set<std::string> modules;
    for (const DeltaTensor& tensor : delta_->tensors()) {
      add("base_model.model." + tensor.name, model_.weights.at(tensor.name));
      for (const std::string& suffix : suffixes)
        if (tensor.name.ends_with(suffix)) modules.insert(tensor.name.substr(0, tensor.name.size() - suffix.size()));
    }
    return modules;
  }

  void add_targets(const std::vector<std::string>& suffixes) {
    targets_ = add_tensors(suffixes);
    config_["target_modules"] = targets_;
    config_["fan_in_fan_out"] = transposed();
  }

  /// Whether the adapted maps are stored as [inputs, outputs].
  bool transposed() const {
    for (const LinearModule& module : linear_modules(*model_.family))
      if (module.transposed && targets_.contains(module.name)) return true;
    return false;
  }

  void add_lora(const Options& options) {
    if (options.text("init_lora_weights") == "pissa")
      user_error(
          "export: pissa took its first values out of the model's weights, which a folder of PEFT does not hold; use form = \"merged\"");
    add_targets({".lora_A.weight", ".lora_embedding_A"});
  }

  void add_ia3() {
    add_targets({".ia3_l"});
    config_["feedforward_modules"] = json::array();
    for (const std::string& module : targets_)
      if (model_.weights.at(module + ".ia3_l").size(0) == 1) config_["feedforward_modules"].push_back(module);
  }

  void add_norms(const Options& options) {
    const auto saved = options.texts("modules_to_save");
    std::set<std::string> modules;
    for (const std::string& name : delta_->trained_parameters()) {
      const auto dot = name.rfind('.');
      if (is_saved_module(saved, name.substr(0, dot))) {
        add_parameter(name);
        continue;
      }
      modules.insert(name.substr(0, dot));
      add("base_model.model." + name.substr(0, dot) + ".ln_tuning_layers" + name.substr(dot), model_.weights.at(name));
    }
    add_tensors({});
    config_["target_modules"] = modules;
  }

  /// A parameter of the model itself, which stands inside the wrapper of an adapted module.
  void add_parameter(const std::string& name) {
    const auto dot = name.rfind('.');
    const std::string module = name.substr(0, dot);
    add("base_model.model." + module + (targets_.contains(module) ? ".base_layer" : "") + name.substr(dot), model_.weights.at(name));
  }
  void add_trained_parameters() {
    for (const std::string& name : delta_->trained_parameters()) add_parameter(name);
  }

  /// What else is not as in the model's folder: modules_to_save, or inside an adapted module.
  void add_moved(const std::vector<std::string>& names, bool learns_prompts) {
    std::set<std::string> shared;
    for (const auto& modules : {linear_modules(*model_.family), embedding_modules(*model_.family)})
      for (const LinearModule& module : modules)
        if (module.shared) shared.insert(module.weight);
    std::set<std::string> modules;
    for (const std::string& name : names) {
      if (learns_prompts || shared.contains(name))
        user_error("export: '{}' is not what it is in the model's folder, or is not there, and a folder of PEFT has no place for it here",
                   name);
      const std::string module = name.substr(0, name.rfind('.'));
      if (!targets_.contains(module)) modules.insert(module);
      if (targets_.contains(module)) add_parameter(name);
    }
    for (const ParameterInfo& info : model_.family->parameters())
      if (modules.contains(info.name.substr(0, info.name.rfind('.')))) add_parameter(info.name);
    saved_.insert(modules.begin(), modules.end());
  }

  /// modules_to_save as it was given, but for the names of modules that the model lacks.
  void add_saved_names(const std::vector<std::string>& names) {
    for (const ParameterInfo& info : model_.family->parameters()) {
      const std::string module = info.name.substr(0, info.name.rfind('.'));
      const bool trained = info.part == Part::head || info.part == Part::delta ? info.name == "lm_head.weight" : true;
      if (trained && is_saved_module(names, module) && !targets_.contains(module)) saved_.insert(module);
    }
  }

  void add_prompt() {
    // One count, whatever the model: PEFT's default for an encoder-decoder is two, of which it uses the first alone.
    config_["num_transformer_submodules"] = 1;
    add("prompt_embeddings", model_.weights.at(delta_->tensors().front().name));
  }

  void add_prefix() {
    if (model_.family->reader() == Reader::encoder_decoder)
      user_error(
          "export: PEFT puts a prefix in front of an encoder-decoder's decoder alone, and gives layer i the place of layer 2i; the "
          "paper's, in "
          "front of both stacks, cannot be said in its folder");
    ForwardOptions forward;
    delta_->install(model_.weights, forward);
    std::vector<at::Tensor> columns;
    for (int layer = 0; layer < model_.family->layers(); ++layer) {
      const auto pair = forward.attention_prefix(layer);
      columns.push_back(pair->first), columns.push_back(pair->second);
    }
    config_["prefix_projection"] = false;
    config_["num_layers"] = model_.family->layers();
    config_["token_dim"] = columns.front().size(1);
    add("prompt_embeddings", at::cat(columns, 1));
  }

  void add_head(bool learns_prompts) {
    bool any = false;
    for (const ParameterInfo& info : model_.family->parameters()) {
      if (info.part != Part::head) continue;
      any = true;
      if (learns_prompts) {
        add("base_model." + info.name, model_.weights.at(info.name));
      } else {
        add_parameter(info.name);
      }
      if (!targets_.contains(info.name.substr(0, info.name.rfind('.')))) saved_.insert(info.name.substr(0, info.name.find('.')));
    }
    const HeadKind kind = model_.family->head().kind;
    if (any && learns_prompts && kind != HeadKind::classification && kind != HeadKind::regression && kind != HeadKind::token_classification)
      user_error("export: PEFT keeps a head beside a prompt or a prefix for classification alone, and this {} model has one of its own",
                 name_of(kind));
  }

  std::set<std::string> targets_, saved_, added_;
  const Model& model_;
  std::unique_ptr<Delta> delta_;
  json config_;
  std::vector<std::pair<std::string, at::Tensor>> tensors_;
};

/// Patterns in the order in which they hold, as PEFT reads them.
nlohmann::ordered_json in_order(const nlohmann::ordered_json& patterns) {
  if (!patterns.is_array()) return patterns;
  nlohmann::ordered_json object = nlohmann::ordered_json::object();
  for (const auto& pair : patterns) {
    const std::string pattern = pair.at(0);
    if (!object.contains(pattern)) object[pattern] = pair.at(1);
  }
  return object;
}

}  // namespace

void save_peft(const PluginHost& plugins, const json& delta, const Model& model, const std::string& base,
               const std::filesystem::path& folder, const std::vector<std::string>& moved) {
  const at::NoGradGuard no_grad;
  const PeftFolder peft(plugins.delta(delta.at("method")), Options(delta.at("options")), model, moved);
  nlohmann::ordered_json config = peft.config();
  config["base_model_name_or_path"] = base;
  for (const char* field : {"rank_pattern", "alpha_pattern"})
    if (config.contains(field)) config[field] = in_order(config[field]);
  std::filesystem::create_directories(folder);
  write_durable(folder / peft_config_file, config.dump(2) + "\n");
  peft.write(folder);
}

}  // namespace tsrun
