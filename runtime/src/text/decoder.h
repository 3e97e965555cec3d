#pragma once

#include <nlohmann/json.hpp>

#include <functional>
#include <string>
#include <vector>

namespace tsrun {

/// Turns tokens into the texts that they add to a decoded text. Thread-safe.
using Decoder = std::function<void(std::vector<std::string>& tokens)>;

/// The `decoder` of a tokenizer.json; null puts blanks between tokens.
/// @throws Error(data) "`where`: …" naming a type or an option that is not supported.
Decoder decoder_of(const nlohmann::json& decoder, const std::string& where);

/// WordPiece's: blanks between words, none before punctuation where `cleanup` is set.
Decoder wordpiece_decoder(const std::string& continuation, bool cleanup);

std::string decoded_text(const Decoder& decoder, std::vector<std::string> tokens);

}  // namespace tsrun
