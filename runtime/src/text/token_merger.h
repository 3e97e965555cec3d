#pragma once

#include "text/conventions.h"

namespace tsrun {

/// Puts the added and special tokens of a folder's files into a document, as transformers does: stated added tokens in the order of their
/// ids, then tokens that play a part, then the rest; what the vocabulary does not have gets the next ids.
/// @throws Error(data) where a file states another id than a token gets so.
void merge_tokens(const FolderConfig& config, TokenizerDocument& document, const std::string& where);

/// The id that a document's vocabulary or added tokens give a token.
std::optional<int64_t> document_id(const nlohmann::json& document, const std::string& token);

}  // namespace tsrun
