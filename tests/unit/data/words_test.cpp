#include "tsrun/data/words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tsrun {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Stripped, DropsUnicodeWhiteSpace_AtBothEnds) {
  EXPECT_EQ(stripped(" \t\u00A0a b\u3000\r\n"), "a b");
  EXPECT_EQ(stripped("\u00E9"), "\u00E9");
  EXPECT_EQ(stripped(" \u2003 "), "");
  EXPECT_EQ(stripped(""), "");
}

TEST(Stripped, KeepsMalformedBytes) {
  EXPECT_EQ(stripped(" a\xFF "), "a\xFF");
  EXPECT_EQ(stripped(" \x80\x80"), "\x80\x80");
  EXPECT_EQ(stripped(std::string_view(" \0 ", 3)), std::string_view("\0", 1));
}

TEST(SplitWords, CutsAtRunsOfWhiteSpace) {
  EXPECT_THAT(split_words("  a\tb\u00A0\u00A0c "), ElementsAre("a", "b", "c"));
  EXPECT_THAT(split_words(" \n"), IsEmpty());
}

TEST(LowerCase, KnowsUnicode) { EXPECT_EQ(lower_case("\u00C9COLE I"), "\u00E9cole i"); }

TEST(SquadWords, DropsCasePunctuationAndArticles) {
  EXPECT_THAT(squad_words("The U.S.A., an  Apple-pie a"), ElementsAre("usa", "applepie"));
  EXPECT_THAT(squad_words("the"), IsEmpty());
  EXPECT_THAT(squad_words("theatre"), ElementsAre("theatre"));
}

}  // namespace
}  // namespace tsrun
