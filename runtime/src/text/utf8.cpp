#include "tsrun/text/utf8.h"

#include "text/utf8_units.h"

#include <cstring>

namespace tsrun {
namespace {

/// The first byte from `at` on that is not ASCII.
size_t skip_ascii(std::string_view text, size_t at) {
  for (uint64_t eight; at + sizeof eight <= text.size(); at += sizeof eight) {
    std::memcpy(&eight, text.data() + at, sizeof eight);
    if ((eight & 0x8080808080808080u) != 0) break;
  }
  while (at < text.size() && static_cast<unsigned char>(text[at]) < 0x80) ++at;
  return at;
}

}  // namespace

std::optional<size_t> find_invalid_utf8(std::string_view text) {
  for (size_t at = skip_ascii(text, 0); at < text.size(); at = skip_ascii(text, at)) {
    const size_t start = at;
    if (text::next_character(text, at) < 0) return start;
  }
  return std::nullopt;
}

namespace text {

std::string_view well_formed(std::string_view text, std::string& storage) {
  auto bad = find_invalid_utf8(text);
  if (!bad) return text;
  storage.clear();
  for (; bad; bad = find_invalid_utf8(text)) {
    storage.append(text.substr(0, *bad));
    append_character(storage, 0xFFFD);
    next_character(text, *bad);
    text.remove_prefix(*bad);
  }
  storage.append(text);
  return storage;
}

}  // namespace text

}  // namespace tsrun
