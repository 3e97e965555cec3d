#pragma once

#include <optional>
#include <string>
#include <string_view>

/// The byte alphabet of byte-level tokenizers: a visible character for each of the 256 bytes. Bytes visible in Latin-1 are themselves; the
/// others follow from U+0100 in order.
namespace tsrun::text {

std::string to_byte_alphabet(std::string_view bytes);

/// The bytes of `text`, or nothing for a character outside the alphabet.
std::optional<std::string> from_byte_alphabet(std::string_view text);

}  // namespace tsrun::text
