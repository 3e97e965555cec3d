#pragma once

#include "tsrun/base/options.h"
#include "tsrun/text/train_tokenizer.h"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

/// The config.json of a model that does not exist yet, from a few sizes.
namespace tsrun {

/// Every model_type, in alphabetical order.
std::vector<std::string> architecture_names();

/// Sizes under the names that all families share: layers, hidden, heads, … Each family says which fields of config.json a name sets.
OptionTable architecture_options();

/// The fields of config.json that `family` reads, by their own names, as options of the types of their values in `given`.
OptionTable architecture_fields(const std::string& family, const nlohmann::json& given);

/// config.json of `options` (of both tables), without what the tokenizer decides. What is absent: `intermediate` 4 × hidden, `positions`
/// 512, `key_heads` as heads, `head_size` hidden / heads; everything else as the family's class in transformers.
/// @throws Error(user) for a size that the family needs or lacks, or that is given under two names
nlohmann::json architecture_config(const std::string& family, const Options& options);

/// The config with the tokenizer's size, where the config gives none, and the ids of its special tokens; null for those that it lacks.
/// @throws Error(user) for a vocabulary that is smaller than the tokenizer's, a tokenizer without padding for a family that pads, and every
/// config that the family refuses
nlohmann::json complete_config(nlohmann::json config, const TokenizerFacts& tokenizer);

}  // namespace tsrun
