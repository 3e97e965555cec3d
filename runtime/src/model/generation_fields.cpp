#include "model/generation_fields.h"

#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"

#include <algorithm>
#include <array>

namespace tsrun::model {
namespace {

using nlohmann::json;

/// Supported fields.
constexpr std::array honoured = {
    "eos_token_id",         "bos_token_id",  "decoder_start_token_id", "max_new_tokens",      "max_length",          "min_new_tokens",
    "min_length",           "num_beams",     "length_penalty",         "early_stopping",      "do_sample",           "repetition_penalty",
    "no_repeat_ngram_size", "bad_words_ids", "sequence_bias",          "forced_bos_token_id", "forced_eos_token_id", "suppress_tokens",
    "begin_suppress_tokens"};

/// Fields without effect on the text: options of sampling, which is refused, of memory, speed and further outputs. Rows have no padding,
/// and non-finite scores end every verb.
constexpr std::array without_effect = {"temperature",
                                       "top_k",
                                       "top_p",
                                       "min_p",
                                       "top_h",
                                       "typical_p",
                                       "epsilon_cutoff",
                                       "eta_cutoff",
                                       "pad_token_id",
                                       "remove_invalid_values",
                                       "use_cache",
                                       "cache_config",
                                       "max_cache_len",
                                       "compile_config",
                                       "disable_compile",
                                       "low_memory",
                                       "prefill_chunk_size",
                                       "continuous_batching_config",
                                       "is_assistant",
                                       "use_mtp",
                                       "num_assistant_tokens",
                                       "num_assistant_tokens_schedule",
                                       "assistant_confidence_threshold",
                                       "assistant_early_exit",
                                       "assistant_lookbehind",
                                       "target_lookbehind",
                                       "prompt_lookup_num_tokens",
                                       "max_matching_ngram_size",
                                       "speculation_type",
                                       "output_attentions",
                                       "output_hidden_states",
                                       "output_scores",
                                       "output_logits",
                                       "return_dict_in_generate",
                                       "transformers_version",
                                       "_from_model_config",
                                       "_commit_hash"};

/// Unsupported fields, each with its neutral value.
struct Refused {
  const char* name;
  double nothing = 0;
};
constexpr std::array refused = {Refused{"guidance_scale", 1},
                                Refused{"encoder_repetition_penalty", 1},
                                Refused{"encoder_no_repeat_ngram_size"},
                                Refused{"num_beam_groups", 1},
                                Refused{"diversity_penalty"},
                                Refused{"penalty_alpha"},
                                Refused{"num_return_sequences", 1},
                                Refused{"assistant_ensemble_weight"},
                                Refused{"exponential_decay_length_penalty"},
                                Refused{"renormalize_logits"},
                                Refused{"stop_strings"},
                                Refused{"max_time"},
                                Refused{"constraints"},
                                Refused{"force_words_ids"},
                                Refused{"dola_layers"},
                                Refused{"watermarking_config"},
                                Refused{"token_healing"},
                                Refused{"cache_implementation"}};

template <size_t N>
bool among(const std::array<const char*, N>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

const Refused* refusal_of(const std::string& name) {
  const auto place = std::find_if(refused.begin(), refused.end(), [&](const Refused& field) { return name == field.name; });
  return place == refused.end() ? nullptr : &*place;
}

bool asks_for_nothing(const json& value, double nothing) {
  if (value.is_number()) return value.get<double>() == nothing;
  return value.is_null() || value == false || ((value.is_structured() || value.is_string()) && value.empty());
}

/// The cache's implementation does not matter unless it is quantised.
bool exact_cache(const std::string& name, const json& value) {
  return name == "cache_implementation" && value.is_string() && value != "quantized";
}

std::vector<std::string> known_names() {
  std::vector<std::string> names(honoured.begin(), honoured.end());
  names.insert(names.end(), without_effect.begin(), without_effect.end());
  for (const Refused& field : refused) names.emplace_back(field.name);
  return names;
}

}  // namespace

void check_generation_fields(const json& fields, const std::string& where) {
  const bool greedy = fields.value("num_beams", json(1)) == 1;
  for (const auto& [name, value] : fields.items()) {
    const std::string shown = value.dump(-1, ' ', false, json::error_handler_t::replace);
    if (const Refused* field = refusal_of(name)) {
      const bool same_order = name == "renormalize_logits" && greedy;  // of the scores of one text
      if (!asks_for_nothing(value, field->nothing) && !exact_cache(name, value) && !same_order)
        data_error("{}: field '{}' is {}, which would change the text and is not supported", where, name, shown);
    } else if (!among(honoured, name) && !among(without_effect, name) && !value.is_null() && value != false) {
      data_error("{}: field '{}' is {}; no such field is known{}", where, name, shown, did_you_mean(name, known_names()));
    }
  }
}

std::vector<std::string> acting_generation_fields() {
  std::vector<std::string> names = known_names();
  std::erase_if(names, [](const std::string& name) { return among(without_effect, name); });
  return names;
}

}  // namespace tsrun::model
