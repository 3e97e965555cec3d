#pragma once

#include "text/pre_tokenizer.h"
#include "text/subword_model.h"

#include <memory>

namespace tsrun::text {

/// The `model` of a tokenizer.json. Pieces that are bytes are given to BPE as they are, to other models in the byte alphabet.
/// @throws Error(data) "`where`: …" naming a type or an option that is not supported.
std::unique_ptr<SubwordModel> model_of(const nlohmann::json& model, PreTokenizerParts& pre_tokenizer, const std::string& where);

/// Type of `model` ("WordPiece", "BPE", …), inferred where an old file states none.
std::string model_type_of(const nlohmann::json& tokenizer, const std::string& where);

/// Merges of a `merges.txt`, one a line, as an array of pairs. @throws Error(data) as "`name`:line: …".
nlohmann::json parse_merges(std::string_view text, const std::string& name);

}  // namespace tsrun::text
