#pragma once

#include "text/added_tokens.h"

#include <nlohmann/json.hpp>

/// Added tokens in tokenizer.json and tokenizer_config.json.
namespace tsrun::text {

AddedToken read_added(const nlohmann::json& entry, int64_t id, const std::string& where);
nlohmann::json added_json(const AddedToken& token);  ///< without its id
void replace_or_add(std::vector<AddedToken>& added, AddedToken token);

}  // namespace tsrun::text
