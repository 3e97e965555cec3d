#pragma once

#include <unicode/umachine.h>
#include <unicode/utf8.h>

#include <cstdint>
#include <string>
#include <string_view>

/// Characters of UTF-8 text, one at a time.
namespace tsrun::text {

/// The character at `at`, which moves past it; -1 for malformed bytes.
inline UChar32 next_character(std::string_view text, size_t& at) {
  const auto first = static_cast<unsigned char>(text[at]);
  if (first < 0x80) {
    ++at;
    return first;
  }
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  UChar32 c;
  U8_NEXT(bytes, at, text.size(), c);
  return c;
}

inline void append_character(std::string& out, UChar32 c) {
  char bytes[U8_MAX_LENGTH];
  int32_t size = 0;
  U8_APPEND_UNSAFE(bytes, size, c);
  out.append(bytes, static_cast<size_t>(size));
}

/// `text`, or a copy in `storage` with U+FFFD for each malformed part.
std::string_view well_formed(std::string_view text, std::string& storage);

}  // namespace tsrun::text
