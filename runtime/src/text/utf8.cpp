#include "tsrun/text/utf8.h"

#include <unicode/utf8.h>

namespace tsrun {

std::optional<size_t> find_invalid_utf8(std::string_view text) {
  const char* bytes = text.data();
  const auto size = static_cast<int64_t>(text.size());
  for (int64_t at = 0; at < size;) {
    const int64_t start = at;
    UChar32 character;
    U8_NEXT(bytes, at, size, character);
    if (character < 0) return static_cast<size_t>(start);
  }
  return std::nullopt;
}

}  // namespace tsrun
