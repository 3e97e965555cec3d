#pragma once

#include "tsrun/text/train_tokenizer.h"

#include <nlohmann/json.hpp>

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// What every trained tokenizer shares.
namespace tsrun::text {

/// Occurrences of each piece that a tokenizer.json's pre_tokenizer leaves of the texts.
using PieceCounts = std::map<std::string, int64_t, std::less<>>;
PieceCounts count_pieces(std::span<const std::string> texts, const nlohmann::json& pre_tokenizer);

/// The special tokens in the order of their ids, each once. @throws Error(user) for an empty one
std::vector<std::string> special_tokens(const TokenizerTraining& training);

/// A tokenizer.json without model and steps: special tokens as added ones, and rows as `training` asks. @throws Error(user) for rows
/// whose tokens are missing
nlohmann::json trained_document(const TokenizerTraining& training);

}  // namespace tsrun::text
