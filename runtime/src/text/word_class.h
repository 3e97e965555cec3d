#pragma once

#include <unicode/umachine.h>

#include <cstdint>

namespace tsrun {

/// What the split patterns of byte-level tokenizers tell apart: `\p{L}`, `\p{N}`, `\s` and the rest, as Unicode 16 has them whatever
/// version of ICU is linked.
enum class WordClass : uint8_t { other, letter, number, space };

WordClass word_class(UChar32 c);

}  // namespace tsrun
