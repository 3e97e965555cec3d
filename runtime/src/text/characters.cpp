#include "text/characters.h"

#include <unicode/uchar.h>

namespace tsrun::text::bert {
namespace {

bool in_unicode_8(UChar32 c) {
  UVersionInfo age;
  u_charAge(c, age);
  return age[0] < 8 || (age[0] == 8 && age[1] == 0);
}

bool has_category(UChar32 c, uint32_t mask) { return (U_MASK(u_charType(c)) & mask) != 0; }

}  // namespace

bool is_whitespace(UChar32 c) { return u_isUWhiteSpace(c) != 0; }

bool is_removed(UChar32 c) {
  if (c == '\t' || c == '\n' || c == '\r') return false;
  if (c == 0 || c == 0xFFFD) return true;
  return has_category(c, U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CO_MASK) && in_unicode_8(c);
}

bool is_cjk(UChar32 c) {
  struct Range {
    UChar32 first, last;
  };
  // The gap after 2B81F (CJK extension E starts at 2B820) is the reference's.
  static constexpr Range kRanges[] = {{0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xF900, 0xFAFF},  {0x20000, 0x2A6DF},
                                      {0x2A700, 0x2B81F}, {0x2B920, 0x2CEAF}, {0x2F800, 0x2FA1F}};
  if (c < kRanges[0].first) return false;
  for (const Range& range : kRanges) {
    if (c >= range.first && c <= range.last) return true;
  }
  return false;
}

bool is_punctuation(UChar32 c) {
  if (c < 0x80) return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
  if (c == 0x166D || c == 0x111C9) return true;  // punctuation in Unicode 8, reclassified since
  return has_category(c, U_GC_P_MASK) && in_unicode_8(c);
}

bool is_nonspacing_mark(UChar32 c) {
  if (c < 0x300) return false;
  if (c == 0x1734) return true;                                                 // a mark in Unicode 8, spacing since
  if (c == 0x1885 || c == 0x1886 || c == 0xA9BD || c == 0x111C9) return false;  // marks only since later versions
  return has_category(c, U_GC_MN_MASK) && in_unicode_8(c);
}

bool is_word_character(UChar32 c) {
  return u_isUAlphabetic(c) || c == 0x200C || c == 0x200D || has_category(c, U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK);
}

UChar32 lower(UChar32 c) { return u_tolower(c); }

}  // namespace tsrun::text::bert
