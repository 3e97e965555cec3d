#pragma once

#include <nlohmann/json.hpp>

#include <functional>
#include <string>
#include <vector>

namespace tsrun::text {

/// Turns tokens into pieces of decoded text. Thread-safe.
using Decoder = std::function<void(std::vector<std::string>& tokens)>;

/// The `decoder` of a tokenizer.json; null puts blanks between tokens.
/// @throws Error(data) "`where`: …" naming a type or an option that is not supported.
Decoder decoder_of(const nlohmann::json& decoder, const std::string& where);

/// Removes blanks before punctuation and English contractions.
std::string clean_up_spaces(std::string text);

std::string decoded_text(const Decoder& decoder, std::vector<std::string> tokens);

}  // namespace tsrun::text
