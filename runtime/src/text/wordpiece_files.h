#pragma once

#include "text/wordpiece.h"

#include <nlohmann/json.hpp>

#include <string>

/// WordPiece in Hugging Face's files.
namespace tsrun {

/// @throws Error(data) as "`where`: …" when the model, normalizer, pre-tokenizer or post-processor is none of BERT's.
WordPieceParts parse_wordpiece(const nlohmann::json& tokenizer, const std::string& where);
nlohmann::json wordpiece_json(const WordPieceParts& parts);  ///< as tokenizer.json

/// Applies tokenizer_config.json (or special_tokens_map.json).
void apply_tokenizer_config(const nlohmann::json& config, const std::string& where, WordPieceParts& parts);
nlohmann::json wordpiece_config(const WordPieceParts& parts);

}  // namespace tsrun
