#pragma once

#include "text/conventions.h"

#include <filesystem>

namespace tsrun {

/// What `special_tokens_map.json`, `tokenizer_config.json` and `config.json` of a folder say.
FolderConfig read_folder_config(const std::filesystem::path& folder);

/// Applies what a tokenizer_config.json may change of any tokenizer: added tokens, special tokens (missing ones get ids past the
/// vocabulary), add_prefix_space of a byte-level tokenizer, and add_bos_token and add_eos_token where either is stated.
void apply_folder_config(const FolderConfig& config, TokenizerDocument& document, const std::string& where);

}  // namespace tsrun
