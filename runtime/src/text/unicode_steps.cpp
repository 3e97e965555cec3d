#include "tsrun/text/unicode_steps.h"

#include "text/characters.h"
#include "text/utf8_units.h"
#include "tsrun/base/error.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/uniset.h>
#include <unicode/unistr.h>

#include <limits>

namespace tsrun {
namespace {

void check_icu(UErrorCode status) {
  if (U_FAILURE(status)) internal_error("ICU: {}", u_errorName(status));
}

const icu::Normalizer2& form_of(NormalForm form) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* normalizer = nullptr;
  if (form == NormalForm::nfc) normalizer = icu::Normalizer2::getNFCInstance(status);
  if (form == NormalForm::nfd) normalizer = icu::Normalizer2::getNFDInstance(status);
  if (form == NormalForm::nfkc) normalizer = icu::Normalizer2::getNFKCInstance(status);
  if (form == NormalForm::nfkd) normalizer = icu::Normalizer2::getNFKDInstance(status);
  check_icu(status);
  return *normalizer;
}

/// Characters that the reference's normalization tables know; it leaves younger ones alone.
const icu::UnicodeSet& known_characters() {
  static const auto* known = [] {
    UErrorCode status = U_ZERO_ERROR;
    auto* set = new icu::UnicodeSet(UNICODE_STRING_SIMPLE("[:Age=12.1:]"), status);
    check_icu(status);
    return static_cast<icu::UnicodeSet*>(set->freeze());
  }();
  return *known;
}

template <class Visit>
void each_character(std::string_view text, Visit visit) {
  for (size_t at = 0; at < text.size();) visit(text::next_character(text, at));
}

}  // namespace

std::string to_form(NormalForm form, std::string_view text) {
  if (text.size() > std::numeric_limits<int32_t>::max() / 4) data_error("a text has {} bytes, expected less than 512 MiB", text.size());
  UErrorCode status = U_ZERO_ERROR;
  const icu::FilteredNormalizer2 normalizer(form_of(form), known_characters());
  std::string out;
  icu::StringByteSink<std::string> sink(&out);
  normalizer.normalizeUTF8(0, {text.data(), static_cast<int32_t>(text.size())}, sink, nullptr, status);
  check_icu(status);
  return out;
}

std::string to_lower(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  each_character(text, [&](UChar32 c) {
    text::append_character(out, c == 0x130 ? 'i' : text::bert::lower(c));
    if (c == 0x130) text::append_character(out, 0x307);
  });
  return out;
}

std::string without_accents(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  each_character(text, [&](UChar32 c) {
    const bool mark = (U_MASK(u_charType(c)) & U_GC_M_MASK) != 0 && known_characters().contains(c);
    if (!mark) text::append_character(out, c);
  });
  return out;
}

std::string without_controls(std::string_view text) {
  const auto goes = [](UChar32 c) {
    return (c >= 0x01 && c <= 0x08) || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F;
  };
  const auto is_blank = [](UChar32 c) {
    const bool line = c == 0x09 || c == 0x0A || c == 0x0C || c == 0x0D || c == 0x2028 || c == 0x2029;
    return line || c == 0x1680 || (c >= 0x200B && c <= 0x200F) || c == 0x2581 || c == 0xFEFF || c == 0xFFFD;
  };
  std::string out;
  out.reserve(text.size());
  each_character(text, [&](UChar32 c) {
    if (!goes(c)) text::append_character(out, is_blank(c) ? ' ' : c);
  });
  return out;
}

std::string_view without_space(std::string_view text, bool left, bool right) {
  while (left && !text.empty()) {
    size_t at = 0;
    if (!text::bert::is_whitespace(text::next_character(text, at))) break;
    text.remove_prefix(at);
  }
  while (right && !text.empty()) {
    size_t start = text.size() - 1;
    while (start > 0 && U8_IS_TRAIL(static_cast<unsigned char>(text[start]))) --start;
    size_t at = start;
    if (!text::bert::is_whitespace(text::next_character(text, at))) break;
    text.remove_suffix(text.size() - start);
  }
  return text;
}

}  // namespace tsrun
