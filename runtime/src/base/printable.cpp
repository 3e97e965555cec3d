#include "tsrun/base/printable.h"

#include <fmt/format.h>

namespace tsrun {
namespace {

/// Bytes of the well-formed UTF-8 sequence that `text` begins with; 0 where there is none.
size_t sequence_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  const size_t length = first < 0x80 ? 1 : first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
  if (length > text.size()) return 0;
  for (size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  const bool overlong = (first == 0xE0 && byte(1) < 0xA0) || (first == 0xF0 && byte(1) < 0x90);
  const bool beyond = (first == 0xED && byte(1) > 0x9F) || (first == 0xF4 && byte(1) > 0x8F);
  return overlong || beyond ? 0 : length;
}

std::string escape(unsigned char byte) {
  switch (byte) {
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      return fmt::format("\\x{:02x}", byte);
  }
}

bool is_control(std::string_view sequence) {
  const auto first = static_cast<unsigned char>(sequence[0]);
  if (sequence.size() == 1) return first < 0x20 || first == 0x7F;
  return first == 0xC2 && static_cast<unsigned char>(sequence[1]) < 0xA0;
}

}  // namespace

std::string printable(std::string_view text, std::string_view keep) {
  std::string shown;
  shown.reserve(text.size());
  while (!text.empty()) {
    const size_t length = std::max<size_t>(1, sequence_length(text));
    const std::string_view sequence = text.substr(0, length);
    text.remove_prefix(length);
    const bool whole = sequence_length(sequence) != 0;
    if (whole && (!is_control(sequence) || (length == 1 && keep.find(sequence[0]) != keep.npos))) {
      shown += sequence;
    } else {
      shown += escape(static_cast<unsigned char>(sequence.back()));  // of a C1 character the code point is its last byte
    }
  }
  return shown;
}

}  // namespace tsrun
