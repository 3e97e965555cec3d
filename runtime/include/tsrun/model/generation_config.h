#pragma once

#include "tsrun/base/options.h"
#include "tsrun/model/generate.h"
#include "tsrun/text/tokenizer.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>

namespace tsrun {

/// Generation fields of a folder: those of generation_config.json or, without one, those of config.json.
struct GenerationConfig {
  nlohmann::json fields = nlohmann::json::object();
  nlohmann::json config_end;  ///< eos_token_id of config.json, for a generation_config.json without one
  std::string where;          ///< the file, for messages
  bool own_file = false;      ///< generation_config.json
};

/// @throws Error(data) for a generation_config.json that is no JSON object
GenerationConfig read_generation_config(const std::filesystem::path& folder, const nlohmann::json& config);

/// Options that transformers' `generate` derives from these fields; `given` (fields by the same names; null: not given) wins. End tokens
/// are those of the fields, else of config.json, else the tokenizer's end token (or separator). `max_new_tokens` holds where no length is
/// set.
/// @throws Error(data) naming a field that is unsupported, unknown or ill-typed; Error(user) for a given do_sample = true
GenerateOptions generate_options(const GenerationConfig& config, const Tokenizer& tokenizer, const nlohmann::json& given,
                                 int64_t max_new_tokens);

/// do_sample (with this default), temperature, top_k and top_p.
OptionTable sampling_options(std::optional<bool> do_sample = {});
/// Nothing where do_sample is absent or false. @throws Error(user) for another option of sampling then, and for one out of range
std::optional<Sampling> sampling_of(const Options& options, Key key);

/// Ids of a prompt: for a causal model without the closing tokens of a row; `begin`, else the tokenizer's begin token, stands for an empty
/// one. @throws Error(user) for an empty prompt without such a token
std::vector<int64_t> prompt_ids(const Tokenizer& tokenizer, const std::string& text, ModelKind model_kind, std::optional<int64_t> begin);

}  // namespace tsrun
