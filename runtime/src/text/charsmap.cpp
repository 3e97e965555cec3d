#include "text/charsmap.h"

#include "text/graphemes.h"
#include "text/utf8_units.h"
#include "tsrun/base/error.h"

namespace tsrun::text {
namespace {

uint32_t little_endian(std::string_view bytes) {
  uint32_t value = 0;
  for (size_t at = 4; at-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[at]);
  return value;
}

// The fields of a unit of the double array.
bool has_leaf(uint32_t unit) { return (unit >> 8 & 1) != 0; }
uint32_t value_of(uint32_t unit) { return unit & 0x7FFFFFFF; }
uint32_t label_of(uint32_t unit) { return unit & 0x800000FF; }
uint32_t offset_of(uint32_t unit) { return (unit >> 10) << ((unit & 0x200) >> 6); }

bool is_ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }

}  // namespace

Charsmap::Charsmap(std::string_view bytes, const std::string& where) : bytes_(bytes) {
  const size_t trie_size = bytes_.size() >= 4 ? little_endian(bytes_) : 0;
  if (trie_size == 0 || trie_size % 4 != 0 || trie_size > bytes_.size() - 4)
    data_error("{}: a precompiled_charsmap of {} bytes states a trie of {}, expected a multiple of 4 that fits", where, bytes_.size(),
               trie_size);
  for (size_t at = 4; at < 4 + trie_size; at += 4) units_.push_back(little_endian(std::string_view(bytes_).substr(at, 4)));
  texts_ = std::string_view(bytes_).substr(4 + trie_size);
  for (size_t c = 0; c < plain_.size(); ++c) {
    const char byte = static_cast<char>(c);
    plain_[c] = byte != '\r' && !look_up({&byte, 1});
  }
}

/// Replacement of the shortest entry at the start of `text`.
std::optional<std::string_view> Charsmap::look_up(std::string_view text) const {
  uint32_t at = offset_of(units_[0]);
  for (const char byte : text) {
    if (byte == 0) return std::nullopt;
    at ^= static_cast<unsigned char>(byte);
    if (at >= units_.size() || label_of(units_[at]) != static_cast<unsigned char>(byte)) return std::nullopt;
    const uint32_t unit = units_[at];
    at ^= offset_of(unit);
    if (at >= units_.size()) return std::nullopt;
    if (!has_leaf(unit)) continue;
    const uint32_t place = value_of(units_[at]);
    if (place > texts_.size()) return std::nullopt;
    return texts_.substr(place, texts_.find('\0', place) - place);
  }
  return std::nullopt;
}

void Charsmap::append_grapheme(std::string_view grapheme, std::string& out) const {
  constexpr size_t kShort = 6;
  if (grapheme.size() < kShort) {
    if (const auto text = look_up(grapheme)) {
      out.append(*text);
      return;
    }
  }
  for (size_t at = 0; at < grapheme.size();) {
    const size_t begin = at;
    next_character(grapheme, at);
    const std::string_view character = grapheme.substr(begin, at - begin);
    out.append(look_up(character).value_or(character));
  }
}

std::string Charsmap::operator()(std::string_view text) const {
  std::string out;
  out.reserve(text.size() + 8);
  for (size_t at = 0; at < text.size();) {
    const bool alone = is_ascii(text[at]) && plain_[static_cast<size_t>(text[at])] && (at + 1 == text.size() || is_ascii(text[at + 1]));
    const size_t end = alone ? at + 1 : grapheme_end(text, at);
    alone ? out.push_back(text[at]) : append_grapheme(text.substr(at, end - at), out);
    at = end;
  }
  return out;
}

}  // namespace tsrun::text
