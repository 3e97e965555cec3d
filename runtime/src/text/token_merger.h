#pragma once

#include "text/conventions.h"

namespace tsrun::text {

/// Adds the added and special tokens of a folder's files to a document, as transformers does: stated added tokens in the order of their
/// ids, then tokens with a role, then the rest; tokens outside the vocabulary get the next ids.
/// @throws Error(data) where a file states another id than that.
void merge_tokens(const FolderConfig& config, TokenizerDocument& document, const std::string& where);

/// Id of a token in a document's vocabulary or added tokens.
std::optional<int64_t> document_id(const nlohmann::json& document, const std::string& token);

}  // namespace tsrun::text
