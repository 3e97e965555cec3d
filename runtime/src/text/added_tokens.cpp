#include "text/added_tokens.h"

#include "text/characters.h"

#include <unicode/utf8.h>

#include <algorithm>
#include <utility>

namespace tsrun::text {
namespace {

/// The character that ends at `at`, which moves to its start.
UChar32 character_before(std::string_view text, size_t& at) {
  const size_t window = std::min<size_t>(at, U8_MAX_LENGTH);
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data() + (at - window));
  auto position = static_cast<int32_t>(window);
  UChar32 c;
  U8_PREV(bytes, 0, position, c);
  at -= window - static_cast<size_t>(position);
  return c;
}

/// The character that starts at `at`, which moves past it.
UChar32 character_after(std::string_view text, size_t& at) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  UChar32 c;
  U8_NEXT(bytes, at, text.size(), c);
  return c;
}

bool touches_word(std::string_view text, size_t begin, size_t end) {
  if (begin > 0 && bert::is_word_character(character_before(text, begin))) return true;
  return end < text.size() && bert::is_word_character(character_after(text, end));
}

size_t skip_space_left(std::string_view text, size_t at, size_t limit) {
  for (size_t before = at; before > limit; at = before) {
    if (!bert::is_whitespace(character_before(text, before))) break;
  }
  return std::max(at, limit);
}

size_t skip_space_right(std::string_view text, size_t at) {
  for (size_t after = at; after < text.size(); at = after) {
    if (!bert::is_whitespace(character_after(text, after))) break;
  }
  return at;
}

}  // namespace

AddedTokens::AddedTokens(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  for (size_t index = 0; index < tokens_.size(); ++index) {
    const std::string& content = tokens_[index].content;
    if (content.empty()) continue;
    starts_[static_cast<unsigned char>(content.front())] = true;
    trie_.insert(content, static_cast<int32_t>(index));
  }
}

bool AddedTokens::next(std::string_view text, size_t done, Found& found) const {
  for (size_t at = found.scanned; at < text.size(); ++at) {
    if (!starts_[static_cast<unsigned char>(text[at])]) continue;
    const Trie::Match match = trie_.longest(text.substr(at));
    if (match.id < 0) continue;
    const AddedToken& token = tokens_[static_cast<size_t>(match.id)];
    found = {at, at + match.length, at + match.length, token.id};
    if (token.ignored || (token.single_word && touches_word(text, found.begin, found.end))) {
      at = found.end - 1;  // matches do not overlap, even those that are refused
      continue;
    }
    if (token.strip_left) found.begin = skip_space_left(text, found.begin, done);
    if (token.strip_right) found.end = skip_space_right(text, found.end);
    return true;
  }
  return false;
}

}  // namespace tsrun::text
