#include "text/folder_config.h"

#include "text/json_fields.h"
#include "tsrun/base/error.h"
#include "tsrun/base/log.h"

#include <algorithm>
#include <iterator>
#include <string_view>

namespace tsrun::text {
namespace {

using Json = nlohmann::json;

/// Options of transformers without effect here.
constexpr std::string_view kIdle[] = {"tokenizer_class",
                                      "name_or_path",
                                      "special_tokens_map_file",
                                      "tokenizer_file",
                                      "vocab_file",
                                      "merges_file",
                                      "processor_class",
                                      "model_max_length",
                                      "max_len",
                                      "max_length",
                                      "stride",
                                      "truncation_strategy",
                                      "padding",
                                      "padding_side",
                                      "pad_to_multiple_of",
                                      "pad_token_type_id",
                                      "chat_template",
                                      "response_template",
                                      "response_schema",
                                      "chat_control_tokens",
                                      "errors",
                                      "trim_offsets",
                                      "use_default_system_prompt",
                                      "spaces_between_special_tokens",
                                      "backend",
                                      "is_local",
                                      "local_files_only",
                                      "files_loaded",
                                      "verbose",
                                      "use_fast",
                                      "from_slow",
                                      "model_type",
                                      "transformers_version",
                                      "tokenizer_type",
                                      "model_input_names",
                                      "additional_special_tokens",
                                      "extra_special_tokens",
                                      "added_tokens_decoder",
                                      "init_inputs",
                                      "return_token_type_ids",
                                      "return_tensors",
                                      "model_specific_special_tokens",
                                      "clean_up_tokenization_spaces",
                                      "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output",
                                      "split_special_tokens",
                                      "truncation_side",
                                      "sp_model_kwargs",
                                      "fast_tokenizer_files",
                                      "fix_mistral_regex"};

/// Options of tokenizer classes; ignored for other classes.
struct ClassOption {
  std::string_view key, families;
};
constexpr ClassOption kClassOptions[] = {{"do_lower_case", "bert"},
                                         {"strip_accents", "bert"},
                                         {"tokenize_chinese_chars", "bert"},
                                         {"add_prefix_space", "gpt2 roberta qwen2 xlm-roberta llama"},
                                         {"legacy", "llama"},
                                         {"extra_ids", "t5"},
                                         {"add_bos_token", "gpt2 qwen2 llama"},
                                         {"add_eos_token", "gpt2 qwen2 llama"}};

bool is_idle(const std::string& key) { return std::find(std::begin(kIdle), std::end(kIdle), key) != std::end(kIdle); }

/// Value of a class's option in the steps of the tokenizer.json; null without such a step.
Json step_value(const Json& json, std::string_view type, const char* field) {
  if (json.is_object() && json.value("type", Json()) == type) return json.value(field, Json());
  if (json.is_structured())
    for (const Json& part : json)
      if (const Json found = step_value(part, type, field); !found.is_null()) return found;
  return {};
}

Json stated_by_steps(const Json& tokenizer, std::string_view key) {
  const Json normalizer = tokenizer.value("normalizer", Json()), pre_tokenizer = tokenizer.value("pre_tokenizer", Json());
  if (key == "do_lower_case") return step_value(normalizer, "BertNormalizer", "lowercase");
  if (key == "strip_accents") return step_value(normalizer, "BertNormalizer", "strip_accents");
  if (key == "tokenize_chinese_chars") return step_value(normalizer, "BertNormalizer", "handle_chinese_chars");
  if (key == "add_prefix_space") return step_value(pre_tokenizer, "ByteLevel", "add_prefix_space");
  return {};
}

/// Warns of a stated option without effect, unless the steps agree with it.
void warn_of_idle(const FolderConfig& config, const Json& tokenizer) {
  for (const auto& [key, value] : config.options.items()) {
    if (value.is_null() || value == false || is_idle(key) || key.ends_with("_token")) continue;
    const auto option = std::find_if(std::begin(kClassOptions), std::end(kClassOptions), [&](const auto& one) { return one.key == key; });
    const bool known = option != std::end(kClassOptions);
    if (known && !config.family.empty() && config.own_steps && option->families.find(config.family) != std::string_view::npos) continue;
    if (known && (stated_by_steps(tokenizer, key) == value || key == "legacy" || key == "extra_ids")) continue;
    if (known && key.starts_with("add_") && key.ends_with("os_token")) continue;
    log_warning("{}: '{}' is {}, which has no effect here{}", config.where(key), key, value.dump().substr(0, 60),
                known ? " (nor in transformers): the tokenizer's steps decide" : "");
  }
  for (const char* key : {"do_lower_case", "tokenize_chinese_chars"}) {
    const bool off = config.options.contains(key) && config.options.at(key) == false;
    if (off && config.family != "bert" && stated_by_steps(tokenizer, key) == true)
      log_warning("{}: '{}' is false, which has no effect here (nor in transformers): the normalizer of tokenizer.json decides",
                  config.where(key), key);
  }
}

/// Unsupported options that would change ids.
void refuse_options(const FolderConfig& config) {
  const Json sampling = config.options.value("sp_model_kwargs", Json());
  if (sampling.is_object() && sampling.value("enable_sampling", Json(false)) != false)
    data_error("{}: sp_model_kwargs has enable_sampling, which is not supported: a text must always have the same ids", config.where());
  const Json files = config.options.value("fast_tokenizer_files", Json::array());
  for (const Json& file : files)
    if (file.is_string() && file != "tokenizer.json")
      data_error("{}: fast_tokenizer_files has '{}', expected 'tokenizer.json' only", config.where(), file.get<std::string>());
  if (flag_field(config.options, "fix_mistral_regex", config.where()).value_or(false))
    data_error("{}: fix_mistral_regex is true, which is not supported; save the tokenizer with the mended expression", config.where());
}

/// Whether a row's second text has segment 1: by `model_input_names`, else by the class. A folder without either keeps the segments of its
/// template.
bool tells_segments(const FolderConfig& config) {
  const auto names = config.options.find("model_input_names");
  if (names != config.options.end() && names->is_array()) return std::find(names->begin(), names->end(), "token_type_ids") != names->end();
  if (config.stated.starts_with("DistilBert")) return false;
  return config.family == "bert" || !config.options.contains("tokenizer_class");
}

bool cuts_left(const FolderConfig& config, const Json& tokenizer) {
  const std::string where = config.where("truncation_side");
  const auto side = text_field(config.options, "truncation_side", where);
  if (side && *side != "left" && *side != "right") data_error("{}: truncation_side is '{}', expected 'left' or 'right'", where, *side);
  if (side) return *side == "left";
  const Json truncation = tokenizer.value("truncation", Json());
  return truncation.is_object() && truncation.value("direction", Json()) == "Left";
}

}  // namespace

TokenizerSettings read_settings(const FolderConfig& config, const Json& tokenizer) {
  refuse_options(config);
  warn_of_idle(config, tokenizer);
  const auto flag = [&](const char* key) { return flag_field(config.options, key, config.where(key)).value_or(false); };
  const bool bpe = tokenizer.value("model", Json::object()).value("type", "") == "BPE";
  TokenizerSettings settings;
  settings.cuts_left = cuts_left(config, tokenizer);
  settings.splits_special = flag("split_special_tokens");
  settings.cleans_up =
      flag("clean_up_tokenization_spaces") && (!bpe || flag("clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output"));
  settings.tells_segments = tells_segments(config);
  return settings;
}

void write_settings(const TokenizerSettings& settings, Json& options) {
  if (settings.cuts_left) options["truncation_side"] = "left";
  if (settings.splits_special) options["split_special_tokens"] = true;
  options["clean_up_tokenization_spaces"] = settings.cleans_up;
  if (settings.cleans_up) options["clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output"] = true;
  options["model_input_names"] = {"input_ids", "attention_mask"};
  if (settings.tells_segments) options["model_input_names"].push_back("token_type_ids");
}

}  // namespace tsrun::text
