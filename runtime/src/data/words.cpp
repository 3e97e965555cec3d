#include "tsrun/data/words.h"

#include <unicode/locid.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/utf8.h>

#include <algorithm>

namespace tsrun {
namespace {

/// White space as Python's str.strip has it, which the field's scripts call.
bool is_blank(UChar32 c) { return (c >= 0x1c && c <= 0x1f) || (c >= 0 && u_isUWhiteSpace(c)); }

/// The character at `at`, which moves behind it.
UChar32 next_of(std::string_view text, size_t& at) {
  UChar32 c = 0;
  auto place = static_cast<int64_t>(at);
  const auto size = static_cast<int64_t>(text.size());
  U8_NEXT(text.data(), place, size, c);
  at = static_cast<size_t>(place);
  return c;
}

/// Where the character that ends at `end` begins.
size_t before(std::string_view text, size_t end) {
  constexpr unsigned kMarks = 0xC0, kContinues = 0x80;
  do --end;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & kMarks) == kContinues);
  return end;
}

bool is_ascii_punctuation(char c) {
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

}  // namespace

std::vector<std::string_view> split_words(std::string_view text) {
  std::vector<std::string_view> words;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t character = at;
    if (!is_blank(next_of(text, at))) continue;
    if (character > begin) words.push_back(text.substr(begin, character - begin));
    begin = at;
  }
  if (begin < text.size()) words.push_back(text.substr(begin));
  return words;
}

std::string_view stripped(std::string_view text) {
  size_t begin = 0, end = text.size();
  for (size_t at = 0; at < end; begin = at)
    if (!is_blank(next_of(text, at))) break;
  while (end > begin) {
    const size_t last = before(text, end);
    size_t at = last;
    if (!is_blank(next_of(text, at)) || at != end) break;
    end = last;
  }
  return text.substr(begin, end - begin);
}

std::string lower_case(std::string_view text) {
  std::string out;
  auto all = icu::UnicodeString::fromUTF8(icu::StringPiece(text.data(), static_cast<int32_t>(text.size())));
  all.toLower(icu::Locale::getRoot()).toUTF8String(out);
  return out;
}

std::vector<std::string> squad_words(std::string_view text) {
  std::string plain = lower_case(text);
  plain.erase(std::remove_if(plain.begin(), plain.end(), is_ascii_punctuation), plain.end());
  std::vector<std::string> words;
  for (const std::string_view word : split_words(plain)) {
    if (word != "a" && word != "an" && word != "the") words.emplace_back(word);
  }
  return words;
}

}  // namespace tsrun
