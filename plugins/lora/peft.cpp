#include "method.h"

#include "tsrun/base/error.h"
#include "tsrun/tune/module_rules.h"

/// Exchange with PEFT's LORA.
namespace tsrun::lora {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

const std::vector<const char*> shared_options = {
    "r",    "lora_alpha", "lora_dropout",           "use_rslora", "use_dora", "rank_pattern", "alpha_pattern",
    "bias", "lora_bias",  "trainable_token_indices"};

/// Starts that PEFT takes out of nothing but the delta's own tensors; of others the model's weights may be no longer what they were.
bool leaves_the_model(const std::string& start) {
  for (const char* known : {"gaussian", "orthogonal", "eva", "mica"})
    if (start == known) return true;
  return false;
}

/// PEFT's init_lora_weights as a word. Starts that change the model's own weights in a way that cannot be done again here are refused.
std::string start_in_peft(const ordered_json& config) {
  const auto start = config.value("init_lora_weights", ordered_json());
  if (!start.is_string()) return "";
  const auto word = start.get<std::string>();
  if (word != "pissa" && !leaves_the_model(word))
    user_error(
        "lora: init_lora_weights is '{}', which belongs to other weights of the model than those it was given; save such a delta with "
        "PEFT's path_initial_model_for_weight_conversion",
        word);
  return word;
}

/// ensure_weight_tying ties the deltas of the word embeddings and of lm_head, which have their own here.
void check_tying(const ordered_json& config) {
  if (!(config.value("ensure_weight_tying", ordered_json()) == true)) return;
  for (const char* field : {"modules_to_save", "target_modules"})
    for (const char* module : {"embed", "wte", "lm_head", "shared"})
      if (config.value(field, ordered_json()).dump().find(module) != std::string::npos)
        user_error("'ensure_weight_tying' is true and {} is {}; tied deltas are not supported, expected false", field,
                   config.at(field).dump());
}

}  // namespace

/// The fields that PEFT 0.21 writes.
std::optional<PeftType> Method::peft_type() const {
  return PeftType{.name = "LORA",
                  .honoured = {"r", "target_modules", "exclude_modules", "lora_alpha", "lora_dropout", "bias", "use_rslora", "use_dora",
                               "lora_bias", "init_lora_weights", "layers_to_transform", "layers_pattern", "rank_pattern", "alpha_pattern",
                               "trainable_token_indices", "ensure_weight_tying"},
                  .refused = {"megatron_config", "layer_replication", "target_parameters", "use_qalora", "use_bdlora", "arrow_config",
                              "kasa_config", "monteclora_config", "velora_config", "alora_invocation_tokens"},
                  .idle = {"fan_in_fan_out", "megatron_core", "loftq_config", "eva_config", "corda_config", "lora_ga_config",
                           "qalora_group_size", "runtime_config"}};
}

json Method::options_from_peft(const ordered_json& config) const {
  check_tying(config);
  json options = module_rules_from_peft(config);
  const std::string start = start_in_peft(config);
  if (start == "pissa") options["init_lora_weights"] = start;  // its base is the model less the first A and B
  for (const char* name : shared_options)
    if (config.contains(name) && !config[name].is_null()) options[name] = config[name];
  for (const char* name : {"rank_pattern", "alpha_pattern"})
    if (options.contains(name)) options[name] = patterns_from_peft(config[name], name);
  return options;
}

PeftTensor Method::tensor_from_peft(PeftTensor tensor, const Delta& /*delta*/, const Family& /*family*/) const {
  const std::string ending = ".weight";
  if (tensor.name.ends_with(".lora_magnitude_vector" + ending)) tensor.name.resize(tensor.name.size() - ending.size());
  return tensor;
}

PeftFolder Method::to_peft(const Delta& delta, const Options& options, const Model& model) const {
  if (options.text("init_lora_weights") == "pissa")
    user_error(
        "export: pissa took its first values out of the model's weights, which a folder of PEFT does not hold; use form = \"merged\"");
  PeftFolder folder = peft_folder("LORA", delta, model, {".lora_A.weight", ".lora_embedding_A"});
  for (const char* name : shared_options) folder.config[name] = options.value(name);
  for (const char* name : {"rank_pattern", "alpha_pattern"}) folder.config[name] = patterns_in_peft(options.value(name));
  return folder;
}

}  // namespace tsrun::lora
