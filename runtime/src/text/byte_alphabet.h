#pragma once

#include <optional>
#include <string>
#include <string_view>

/// The alphabet in which files of byte-level tokenizers write bytes: a visible character for each of the 256. Bytes that are visible in
/// Latin-1 stand for themselves; the others follow from U+0100 in order.
namespace tsrun {

std::string to_byte_alphabet(std::string_view bytes);

/// The bytes that `text` writes, or nothing when a character is not of the alphabet.
std::optional<std::string> from_byte_alphabet(std::string_view text);

}  // namespace tsrun
