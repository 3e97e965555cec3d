#include "tsrun/base/printable.h"

#include <gtest/gtest.h>

namespace tsrun {
namespace {

using namespace std::string_literals;

TEST(Printable, EscapesControlCharacters) {
  EXPECT_EQ(printable("\x1b[31mred\x1b[0m"), "\\x1b[31mred\\x1b[0m");
  EXPECT_EQ(printable("a\rb\x07\x7f\0c"s), "a\\rb\\x07\\x7f\\x00c");
  EXPECT_EQ(printable("\xc2\x9b"
                      "2J"),
            "\\x9b2J")
      << "U+009B begins a sequence as ESC [ does";
}

TEST(Printable, KeepsLineEndsAndTabs_UnlessTold) {
  EXPECT_EQ(printable("a\tb\nc"), "a\tb\nc");
  EXPECT_EQ(printable("a\tb\nc", ""), "a\\tb\\nc");
}

TEST(Printable, KeepsText) {
  for (const std::string text : {"", "plain", "ä – 日本 🙂", "\u00a0"}) EXPECT_EQ(printable(text), text);
}

TEST(Printable, EscapesWhatIsNoUtf8) {
  EXPECT_EQ(printable("a\xff"
                      "b\xe2\x82"),
            "a\\xffb\\xe2\\x82");
  EXPECT_EQ(printable("\xc0\x80\xed\xa0\x80"), "\\xc0\\x80\\xed\\xa0\\x80") << "overlong, and half of a surrogate pair";
}

}  // namespace
}  // namespace tsrun
