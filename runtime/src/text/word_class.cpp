#include "text/word_class.h"

#include <unicode/uchar.h>

#include <algorithm>
#include <array>
#include <iterator>

namespace tsrun::text {
namespace {

struct Interval {
  UChar32 first, last;
};

/// Letters and numbers that came with Unicode 15.1 and 16, which an older ICU does not know.
constexpr Interval kYoungLetters[] = {{0x1C89, 0x1C8A},   {0xA7CB, 0xA7CD},   {0xA7DA, 0xA7DC},   {0x105C0, 0x105F3}, {0x10D4A, 0x10D65},
                                      {0x10D6F, 0x10D85}, {0x10EC2, 0x10EC4}, {0x11380, 0x11389}, {0x1138B, 0x1138B}, {0x1138E, 0x1138E},
                                      {0x11390, 0x113B5}, {0x113B7, 0x113B7}, {0x113D1, 0x113D1}, {0x113D3, 0x113D3}, {0x11BC0, 0x11BE0},
                                      {0x13460, 0x143FA}, {0x16100, 0x1611D}, {0x16D40, 0x16D6C}, {0x18CFF, 0x18CFF}, {0x1E5D0, 0x1E5ED},
                                      {0x1E5F0, 0x1E5F0}, {0x2EBF0, 0x2EE5D}};
constexpr Interval kYoungNumbers[] = {{0x10D40, 0x10D49}, {0x116D0, 0x116E3}, {0x11BF0, 0x11BF9}, {0x16130, 0x16139},
                                      {0x16D70, 0x16D79}, {0x1CCF0, 0x1CCF9}, {0x1E5F1, 0x1E5FA}};

template <size_t size>
bool is_among(const Interval (&intervals)[size], UChar32 c) {
  return std::any_of(std::begin(intervals), std::end(intervals), [c](const Interval& part) { return c >= part.first && c <= part.last; });
}

bool is_after_unicode_16(UChar32 c) {
  UVersionInfo age;
  u_charAge(c, age);
  return age[0] > 16;
}

WordClass find_class(UChar32 c) {
  if (u_isUWhiteSpace(c)) return WordClass::space;
  const uint32_t category = U_MASK(u_charType(c));
  if ((category & U_GC_L_MASK) != 0) return is_after_unicode_16(c) ? WordClass::other : WordClass::letter;
  if ((category & U_GC_N_MASK) != 0) return is_after_unicode_16(c) ? WordClass::other : WordClass::number;
  if (is_among(kYoungLetters, c)) return WordClass::letter;
  return is_among(kYoungNumbers, c) ? WordClass::number : WordClass::other;
}

constexpr UChar32 kPlaneEnd = 0x10000;

/// The first plane, looked up once for all.
std::array<WordClass, kPlaneEnd> plane_classes() {
  std::array<WordClass, kPlaneEnd> classes{};
  for (UChar32 c = 0; c < kPlaneEnd; ++c) classes[static_cast<size_t>(c)] = find_class(c);
  return classes;
}

}  // namespace

WordClass word_class(UChar32 c) {
  static const std::array<WordClass, kPlaneEnd> plane = plane_classes();
  if (c < 0) return WordClass::other;
  return c < kPlaneEnd ? plane[static_cast<size_t>(c)] : find_class(c);
}

}  // namespace tsrun::text
