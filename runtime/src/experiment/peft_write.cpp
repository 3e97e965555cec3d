#include "experiment/peft.h"
#include "tsrun/base/error.h"
#include "tsrun/base/files.h"

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
  PeftFolder(const DeltaMethod& method, const Options& options, const Model& model)
      : model_(model), delta_(method.attach(*model.family, options)), config_(method.to_peft(options)) {
    if (!config_.is_object()) user_error("export: PEFT has no method '{}'; form = \"merged\" may do", method.name());
    config_["task_type"] = task_type(model.family->head().kind);
    config_["inference_mode"] = true;
    const std::string type = config_.at("peft_type");
    if (type == "LORA") add_lora(options);
    if (type == "IA3") add_ia3();
    if (type == "LN_TUNING") add_norms();
    if (type == "PROMPT_TUNING") add_prompt();
    if (type == "PREFIX_TUNING") add_prefix();
    add_head(type.ends_with("_TUNING") && type != "LN_TUNING");
  }

  const json& config() const { return config_; }
  void write(const std::filesystem::path& folder) const {
    std::vector<TensorInfo> tensors;
    for (const auto& [name, tensor] : tensors_) tensors.push_back(as_info(name, tensor));
    write_safetensors(folder / peft_values_file, tensors, {{"format", "pt"}});
  }

 private:
  void add(const std::string& name, const at::Tensor& tensor) { tensors_.emplace_back(name, tensor.detach().cpu().contiguous()); }

  /// The delta's tensors under their own names. Returns the modules that have one ending in `suffix`.
  json add_tensors(const std::string& suffix) {
    json modules = json::array();
    for (const DeltaTensor& tensor : delta_->tensors()) {
      add("base_model.model." + tensor.name, model_.weights.at(tensor.name));
      if (tensor.name.ends_with(suffix)) modules.push_back(tensor.name.substr(0, tensor.name.size() - suffix.size()));
    }
    return modules;
  }

  /// Whether the maps of `modules` are stored as [inputs, outputs].
  bool transposed(const json& modules) const {
    for (const LinearModule& module : linear_modules(*model_.family))
      for (const auto& name : modules)
        if (name == module.name && module.transposed) return true;
    return false;
  }

  void add_lora(const Options& options) {
    if (options.text("init_lora_weights") == "pissa")
      user_error(
          "export: pissa took its first values out of the model's weights, which a folder of PEFT does not hold; use form = \"merged\"");
    config_["target_modules"] = add_tensors(".lora_A.weight");
    config_["fan_in_fan_out"] = transposed(config_["target_modules"]);
  }

  void add_ia3() {
    config_["target_modules"] = add_tensors(".ia3_l");
    config_["fan_in_fan_out"] = transposed(config_["target_modules"]);
    config_["feedforward_modules"] = json::array();
    for (const auto& module : config_["target_modules"])
      if (model_.weights.at(module.get<std::string>() + ".ia3_l").size(0) == 1) config_["feedforward_modules"].push_back(module);
  }

  void add_norms() {
    std::set<std::string> modules;
    for (const std::string& name : delta_->trained_parameters()) {
      const auto dot = name.rfind('.');
      modules.insert(name.substr(0, dot));
      add("base_model.model." + name.substr(0, dot) + ".ln_tuning_layers" + name.substr(dot), model_.weights.at(name));
    }
    config_["target_modules"] = modules;
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
    std::set<std::string> heads;
    for (const ParameterInfo& info : model_.family->parameters()) {
      if (info.part != Part::head) continue;
      heads.insert(info.name.substr(0, info.name.find('.')));
      add((learns_prompts ? "base_model." : "base_model.model.") + info.name, model_.weights.at(info.name));
    }
    if (heads.empty()) return;
    const HeadKind kind = model_.family->head().kind;
    if (learns_prompts && kind != HeadKind::classification && kind != HeadKind::regression && kind != HeadKind::token_classification)
      user_error("export: PEFT keeps a head beside a prompt or a prefix for classification alone, and this {} model has one of its own",
                 name_of(kind));
    config_["modules_to_save"] = heads;
  }

  const Model& model_;
  std::unique_ptr<Delta> delta_;
  json config_;
  std::vector<std::pair<std::string, at::Tensor>> tensors_;
};

}  // namespace

void save_peft(const PluginHost& plugins, const json& delta, const Model& model, const std::string& base,
               const std::filesystem::path& folder) {
  const at::NoGradGuard no_grad;
  const PeftFolder peft(plugins.delta(delta.at("method")), Options(delta.at("options")), model);
  json config = peft.config();
  config["base_model_name_or_path"] = base;
  std::filesystem::create_directories(folder);
  write_durable(folder / peft_config_file, config.dump(2) + "\n");
  peft.write(folder);
}

}  // namespace tsrun
