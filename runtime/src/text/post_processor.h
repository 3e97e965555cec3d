#pragma once

#include "text/row_template.h"

#include <nlohmann/json.hpp>

#include <string>

namespace tsrun {

/// The rows that a tokenizer.json's `post_processor` makes; null sets texts end to end.
/// @throws Error(data) "`where`: …" naming a type or an option that is not supported, or a token outside a vocabulary of `tokens`.
RowTemplate rows_of(const nlohmann::json& post_processor, int64_t tokens, const std::string& where);

}  // namespace tsrun
