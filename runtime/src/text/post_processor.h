#pragma once

#include "text/row_template.h"

#include <nlohmann/json.hpp>

#include <string>

namespace tsrun::text {

/// Row template of a tokenizer.json's `post_processor`; null concatenates the texts.
/// @throws Error(data) "`where`: …" naming a type or an option that is not supported, or a token outside a vocabulary of `tokens`.
RowTemplate rows_of(const nlohmann::json& post_processor, int64_t tokens, const std::string& where);

}  // namespace tsrun::text
