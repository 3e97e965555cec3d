#include "text/normalizer.h"

#include "text/characters.h"
#include "tsrun/base/error.h"

#include <unicode/normalizer2.h>
#include <unicode/uniset.h>
#include <unicode/unistr.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <limits>

namespace tsrun::text {
namespace {

constexpr UChar32 kCapitalIWithDot = 0x0130;

void check(UErrorCode status) {
  if (U_FAILURE(status)) internal_error("ICU: {}", u_errorName(status));
}

/// NFD of the characters that Unicode 12 knows; younger ones have no decomposition and combining class 0, as in the reference.
const icu::Normalizer2& decomposition() {
  struct Filtered {
    static icu::UnicodeSet known() {
      UErrorCode status = U_ZERO_ERROR;
      icu::UnicodeSet set(UNICODE_STRING_SIMPLE("[:Age=12.1:]"), status);
      check(status);
      set.freeze();
      return set;
    }
    static const icu::Normalizer2& nfd() {
      UErrorCode status = U_ZERO_ERROR;
      const icu::Normalizer2* normalizer = icu::Normalizer2::getNFDInstance(status);
      check(status);
      return *normalizer;
    }
    icu::UnicodeSet set = known();
    icu::FilteredNormalizer2 normalizer{nfd(), set};
  };
  static const Filtered filtered;
  return filtered.normalizer;
}

template <class Visit>
void for_each_character(const icu::UnicodeString& text, Visit visit) {
  for (int32_t at = 0; at < text.length();) {
    const UChar32 c = text.char32At(at);
    at += U16_LENGTH(c);
    visit(c);
  }
}

void append_utf8(std::string& out, UChar32 c) {
  char bytes[U8_MAX_LENGTH];
  int32_t size = 0;
  U8_APPEND_UNSAFE(bytes, size, c);
  out.append(bytes, static_cast<size_t>(size));
}

icu::UnicodeString clean(const icu::UnicodeString& text, const BertNormalizer::Steps& steps) {
  icu::UnicodeString out(text.length() + 16, 0, 0);
  for_each_character(text, [&](UChar32 c) {
    if (steps.clean_text && bert::is_removed(c)) return;
    if (steps.clean_text && bert::is_whitespace(c)) c = ' ';
    const bool alone = steps.split_cjk && bert::is_cjk(c);
    if (alone) out.append(u' ');
    out.append(c);
    if (alone) out.append(u' ');
  });
  return out;
}

icu::UnicodeString decompose(const icu::UnicodeString& text) {
  UErrorCode status = U_ZERO_ERROR;
  icu::UnicodeString out = decomposition().normalize(text, status);
  check(status);
  return out;
}

}  // namespace

std::string BertNormalizer::operator()(std::string_view text) const {
  const bool ascii = std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  return ascii ? normalize_ascii(text) : normalize_unicode(text);
}

std::string BertNormalizer::normalize_ascii(std::string_view text) const {
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    if (steps_.clean_text && (c == '\t' || c == '\n' || c == '\r')) c = ' ';
    if (steps_.clean_text && (c < ' ' || c == 0x7F)) continue;
    if (steps_.lower_case && c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
    out.push_back(c);
  }
  return out;
}

std::string BertNormalizer::normalize_unicode(std::string_view text) const {
  constexpr size_t kMost = std::numeric_limits<int32_t>::max() / 4;
  if (text.size() > kMost) data_error("a text has {} bytes, expected at most {}", text.size(), kMost);
  icu::UnicodeString units = clean(icu::UnicodeString::fromUTF8({text.data(), static_cast<int32_t>(text.size())}), steps_);
  if (steps_.strip_accents) units = decompose(units);
  std::string out;
  out.reserve(text.size() + text.size() / 2);
  for_each_character(units, [&](UChar32 c) {
    if (steps_.strip_accents && bert::is_nonspacing_mark(c)) return;
    if (!steps_.lower_case) return append_utf8(out, c);
    if (c != kCapitalIWithDot) return append_utf8(out, bert::lower(c));
    out += "i\u0307";
  });
  return out;
}

}  // namespace tsrun::text
