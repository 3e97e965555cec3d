#include "model/config_fields.h"

#include "model/config_reader.h"
#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"

#include <algorithm>
#include <optional>

namespace tsrun::model {
namespace {

/// Fields of every model. End tokens, names of labels and the tokenizer are read elsewhere.
const std::vector<std::string> common_read = {
    "model_type",   "vocab_size",      "bos_token_id",        "eos_token_id",           "pad_token_id", "sep_token_id",
    "cls_token_id", "mask_token_id",   "unk_token_id",        "decoder_start_token_id", "id2label",     "label2id",
    "num_labels",   "tokenizer_class", "tie_word_embeddings", "initializer_range"};

/// What describes a file, a run or a device, how memory is used, and what transformers is to give back; and fields of generation, which
/// transformers 5 drops from a config.json when it reads one (generation_config.json has them).
const std::vector<std::string> common_inert = {
    "_attn_implementation", "_attn_implementation_autoset", "_attn_implementation_internal", "_commit_hash", "_experts_implementation",
    "_experts_implementation_internal", "_flash_attn_2_enabled", "_name_or_path", "_num_labels", "architectures", "attn_implementation",
    "chunk_size_feed_forward", "cross_attention_hidden_size", "dtype", "experts_implementation", "finetuning_task",
    "gradient_checkpointing", "name_or_path", "output_attentions", "output_hidden_states", "output_past", "prefix", "problem_type",
    "return_dict", "sentence_transformers", "task_specific_params", "tf_legacy_loss", "torch_dtype", "torchscript",
    "transformers.js_config", "transformers_version", "unsloth_fixed", "unsloth_version", "use_bfloat16", "use_cache", "use_return_dict",
    "xla_device",
    // generation
    "assistant_confidence_threshold", "assistant_lookbehind", "bad_words_ids", "begin_suppress_tokens", "diversity_penalty", "do_sample",
    "early_stopping", "encoder_no_repeat_ngram_size", "encoder_repetition_penalty", "epsilon_cutoff", "eta_cutoff",
    "exponential_decay_length_penalty", "forced_bos_token_id", "forced_eos_token_id", "length_penalty", "max_length", "max_new_tokens",
    "min_length", "no_repeat_ngram_size", "num_assistant_tokens", "num_assistant_tokens_schedule", "num_beam_groups", "num_beams",
    "num_return_sequences", "output_scores", "remove_invalid_values", "repetition_penalty", "return_dict_in_generate", "suppress_tokens",
    "target_lookbehind", "temperature", "top_k", "top_p", "typical_p"};

const std::vector<std::pair<std::string, std::vector<nlohmann::json>>> common_fixed = {
    {"add_cross_attention", {false}},
    {"is_encoder_decoder", {false}},
    {"is_decoder", {false}},
    {"per_layer_config", {nlohmann::json::object()}},
    {"position_embedding_type", {"absolute"}},
    {"pruned_heads", {nlohmann::json::object(), nlohmann::json::array()}},
    {"tie_encoder_decoder", {false}},
    {"tie_last_hidden_states", {true}},
    {"quantization_config", {}},
};

/// Fields that name the model's own code, which is never run.
const std::vector<std::string> own_code = {"auto_map", "custom_pipelines"};

bool has_name(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Supported values of fields that are supported in part.
std::optional<std::vector<nlohmann::json>> fixed_values(const FieldRules& rules, const std::string& name) {
  for (const auto* list : {&rules.fixed, &common_fixed}) {
    for (const auto& [field, values] : *list) {
      if (field == name) return values;
    }
  }
  return std::nullopt;
}

bool is_known(const FieldRules& rules, const std::string& name) {
  return has_name(rules.read, name) || has_name(rules.inert, name) || has_name(common_read, name) || has_name(common_inert, name);
}

bool says_nothing(const nlohmann::json& value) {
  return value.is_null() || value == false || (value.is_string() && value.get_ref<const std::string&>().empty()) ||
         (value.is_structured() && value.empty());
}

std::string known_names(const FieldRules& rules, const std::string& name) {
  std::vector<std::string> all = rules.read;
  all.insert(all.end(), common_read.begin(), common_read.end());
  return did_you_mean(name, all);
}

std::string expected_values(const std::vector<nlohmann::json>& values) {
  if (values.empty()) return "no such field";
  std::vector<std::string> texts;
  for (const auto& value : values) texts.push_back(shortened(value));
  return join_words(texts) + ", all that is supported";
}

/// Complaint about a field, or "".
std::string complaint(const FieldRules& rules, const std::string& name, const nlohmann::json& value) {
  if (value.is_null() || is_known(rules, name) || has_name(own_code, name)) return "";
  if (const auto values = fixed_values(rules, name)) {
    const bool supported = std::find(values->begin(), values->end(), value) != values->end();
    return supported ? "" : fmt::format("field '{}' is {}, expected {}", name, shortened(value), expected_values(*values));
  }
  if (says_nothing(value)) return "";
  return fmt::format(
      "field '{}' is {}, which is unknown here and might change what the model computes{}; expected null, false or no such field", name,
      shortened(value), known_names(rules, name));
}

}  // namespace

nlohmann::json without_aliases(const nlohmann::json& config, const FieldRules& rules, const std::string& where) {
  nlohmann::json plain = config;
  for (const auto& [alias, name] : rules.aliases) {
    const auto other = plain.find(alias);
    if (other == plain.end()) continue;
    const auto own = plain.find(name);
    const bool both = own != plain.end() && !own->is_null() && !other->is_null();
    if (both && *own != *other)
      data_error("{}: field '{}' is {} and '{}' is {}, expected one value: they are names of one field", where, name, shortened(*own),
                 alias, shortened(*other));
    if (!both && !other->is_null()) plain[name] = nlohmann::json(*other);
    plain.erase(alias);
  }
  return plain;
}

void check_fields(const nlohmann::json& config, const FieldRules& rules, const std::string& where) {
  std::vector<std::string> lines;
  for (const auto& [name, value] : config.items()) {
    if (std::string line = complaint(rules, name, value); !line.empty()) lines.push_back(std::move(line));
  }
  if (lines.empty()) return;
  if (lines.size() == 1) data_error("{}: {}", where, lines[0]);
  data_error("{}: fields that are not supported:\n  {}", where, fmt::join(lines, "\n  "));
}

std::vector<std::string> idle_fields(const nlohmann::json& config, const FieldRules& rules) {
  std::vector<std::string> lines;
  const nlohmann::json plain = without_aliases(config, rules, "config.json");
  for (const auto& [name, value] : plain.items()) {
    if (value.is_null() || value == false) continue;
    if (has_name(own_code, name)) lines.push_back(fmt::format("field '{}' names code of the model's own, which is not run", name));
    if (has_name(own_code, name) || is_known(rules, name) || fixed_values(rules, name)) continue;
    lines.push_back(fmt::format("field '{}' is unknown and empty: not used", name));
  }
  return lines;
}

}  // namespace tsrun::model
