#include "tsrun/experiment/peft_config.h"

#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/base/log.h"
#include "tsrun/base/suggest.h"

#include <algorithm>
#include <map>
#include <set>
#include <vector>

namespace tsrun {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

/// The fields that a type of PEFT's (0.21) writes.
struct PeftFields {
  std::set<std::string> honoured;   ///< read by the method here
  std::set<std::string> refused;    ///< change what is computed; null, false and empty say that they are not used
  std::set<std::string> idle = {};  ///< of the first values, of training elsewhere, or of nothing: no stored delta depends on them
};

/// Of every type. The task type decides which heads are saved, and no more.
const PeftFields common = {{"peft_type", "modules_to_save"},
                           {},
                           {"task_type", "auto_mapping", "peft_version", "base_model_name_or_path", "revision", "inference_mode"}};

const std::map<std::string, PeftFields>& fields_by_type() {
  static const PeftFields prompts = {
      {"num_virtual_tokens"},
      {},
      {"token_dim", "num_transformer_submodules", "num_attention_heads", "num_layers", "prompt_tuning_init", "prompt_tuning_init_text",
       "tokenizer_name_or_path", "tokenizer_kwargs", "init_weights", "encoder_hidden_size", "prefix_projection"}};
  static const std::map<std::string, PeftFields> all = {
      {"LORA",
       {{"r", "target_modules", "exclude_modules", "lora_alpha", "lora_dropout", "bias", "use_rslora", "use_dora", "lora_bias",
         "init_lora_weights", "layers_to_transform", "layers_pattern", "rank_pattern", "alpha_pattern", "trainable_token_indices",
         "ensure_weight_tying"},
        {"megatron_config", "layer_replication", "target_parameters", "use_qalora", "use_bdlora", "arrow_config", "kasa_config",
         "monteclora_config", "velora_config", "alora_invocation_tokens"},
        {"fan_in_fan_out", "megatron_core", "loftq_config", "eva_config", "corda_config", "lora_ga_config", "qalora_group_size",
         "runtime_config"}}},
      {"IA3", {{"target_modules", "exclude_modules", "feedforward_modules"}, {}, {"fan_in_fan_out", "init_ia3_weights"}}},
      {"LN_TUNING", {{"target_modules", "exclude_modules"}, {}, {}}},
      {"PROMPT_TUNING", prompts},
      {"PREFIX_TUNING", prompts},
  };
  return all;
}

/// Whether a field's value says that it is not used.
bool unused(const json& value, bool known) {
  return value.is_null() || value == false || (known && value.is_structured() && value.empty());
}

class FieldCheck {
 public:
  FieldCheck(const json& config, const std::string& where) : config_(config), where_(where) {}

  void run() const {
    const auto found = fields_by_type().find(config_.value("peft_type", ""));
    if (found == fields_by_type().end()) return;  // a plugin's own, which knows its fields
    for (const auto& [name, value] : config_.items()) check(name, value, found->second);
    if (config_.value("ensure_weight_tying", json()) == true) check_tying();
  }

 private:
  void check(const std::string& name, const json& value, const PeftFields& fields) const {
    const bool refused = fields.refused.contains(name);
    if (unused(value, refused)) return;
    if (refused)
      data_error("{}: '{}' is {}, which changes what the delta computes and is not supported; expected null", where_, name, shown(value));
    for (const PeftFields* known : {&common, &fields})
      if (known->honoured.contains(name) || known->idle.contains(name)) return;
    data_error("{}: field '{}' is {}, and what it means for a delta of type {} is not known here; expected null or false{}", where_, name,
               shown(value), config_.value("peft_type", ""), did_you_mean(name, names_of(fields)));
  }

  /// It ties the deltas of the word embeddings and of lm_head, which have their own here.
  void check_tying() const {
    for (const char* field : {"modules_to_save", "target_modules"})
      for (const char* module : {"embed", "wte", "lm_head", "shared"})
        if (config_.value(field, json()).dump().find(module) != std::string::npos)
          data_error("{}: 'ensure_weight_tying' is true and {} is {}; tied deltas are not supported, expected false", where_, field,
                     shown(config_.at(field)));
  }

  static std::vector<std::string> names_of(const PeftFields& fields) {
    std::vector<std::string> names;
    for (const PeftFields* known : {&common, &fields})
      for (const auto* set : {&known->honoured, &known->refused, &known->idle}) names.insert(names.end(), set->begin(), set->end());
    return names;
  }
  static std::string shown(const json& value) {
    const std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
    return text.size() <= 80 ? text : text.substr(0, 80) + "…";
  }

  const json& config_;
  const std::string& where_;
};

/// {"key": 4} → [["key", 4]]: another table would lose the order of its keys.
json as_pairs(const ordered_json& patterns) {
  json pairs = json::array();
  for (const auto& [pattern, number] : patterns.items()) pairs.push_back({pattern, json::parse(number.dump())});
  return pairs;
}

}  // namespace

json read_peft_config(const std::filesystem::path& file) {
  const std::string where = file.string();
  json config = read_json(file);
  if (!config.is_object()) data_error("{}: found {}, expected an object", where, config.type_name());
  if (!config.value("peft_type", json()).is_string()) data_error("{}: peft_type is missing, expected the name of a method", where);
  const auto ordered = ordered_json::parse(read_text(file));
  for (const char* field : {"rank_pattern", "alpha_pattern"}) {
    if (!config.contains(field) || config[field].is_null()) continue;
    if (!config[field].is_object()) data_error("{}: {} is {}, expected an object", where, field, config[field].dump());
    config[field] = as_pairs(ordered[field]);
  }
  FieldCheck(config, where).run();
  return config;
}

}  // namespace tsrun
