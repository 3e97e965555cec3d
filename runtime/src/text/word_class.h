#pragma once

#include <unicode/umachine.h>

#include <cstdint>

namespace tsrun::text {

/// Character classes in the split patterns of byte-level tokenizers: `\p{L}`, `\p{N}`, `\s` and the rest, by Unicode 16 with any version
/// of ICU.
enum class WordClass : uint8_t { other, letter, number, space };

WordClass word_class(UChar32 c);

}  // namespace tsrun::text
