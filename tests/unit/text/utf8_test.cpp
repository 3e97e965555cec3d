#include "tsrun/text/utf8.h"

#include <gtest/gtest.h>

namespace tsrun {
namespace {

TEST(Utf8, AcceptsWellFormedText) {
  EXPECT_FALSE(find_invalid_utf8("").has_value());
  EXPECT_FALSE(find_invalid_utf8("fox \xC3\xA9 \xE7\x8C\xAB \xF0\x9F\xA6\x8A \xEF\xBF\xBD").has_value());
}

TEST(Utf8, NamesTheFirstBadByte) {
  EXPECT_EQ(find_invalid_utf8("fox\xFF"), 3u);
  EXPECT_EQ(find_invalid_utf8("\xC3"), 0u);                 // cut short
  EXPECT_EQ(find_invalid_utf8("a\xC0\xAF"), 1u);            // overlong
  EXPECT_EQ(find_invalid_utf8("ab\xED\xA0\x80"), 2u);       // surrogate
  EXPECT_EQ(find_invalid_utf8("abc\xF4\x90\x80\x80"), 3u);  // beyond U+10FFFF
}

}  // namespace
}  // namespace tsrun
