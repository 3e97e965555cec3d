#include "tsrun/data/diversity.h"

#include <gtest/gtest.h>

namespace tsrun {
namespace {

// 9 words: a b c. Bigrams: ab ba ab bc | ab | none: 3 different of 5. Trigrams: aba bab abc: all different.
const std::vector<Sequence> kThree = {{"a", "b", "a", "b", "c"}, {"a", "b"}, {"c"}, {}, {"c"}};

TEST(Diversity, CountsDifferentNgramsOfAllTexts_OverTokens) {
  EXPECT_DOUBLE_EQ(distinct(kThree, 1), 3.0 / 9);
  EXPECT_DOUBLE_EQ(distinct(kThree, 2), 3.0 / 9);
  EXPECT_DOUBLE_EQ(distinct(kThree, 3), 3.0 / 9);
}

TEST(Diversity, CountsThemOverNgrams_WhereAsked) {
  EXPECT_DOUBLE_EQ(distinct(kThree, 1, DistinctOver::ngrams), 3.0 / 9);
  EXPECT_DOUBLE_EQ(distinct(kThree, 2, DistinctOver::ngrams), 3.0 / 5);
  EXPECT_DOUBLE_EQ(distinct(kThree, 3, DistinctOver::ngrams), 1);
}

TEST(Diversity, TellsWordsApart_ThatSpellTheSameTogether) {
  EXPECT_DOUBLE_EQ(distinct(std::vector<Sequence>{{"ab", "c"}, {"a", "bc"}}, 2, DistinctOver::ngrams), 1);
}

// Bigrams of the first text: ab ba ab bc: one of four came before; of the second: none; the others have none and do not count.
TEST(Diversity, AveragesTheShareOfNgramsThatATextHadBefore) {
  EXPECT_DOUBLE_EQ(repetition(kThree, 2), (0.25 + 0) / 2);
  EXPECT_DOUBLE_EQ(repetition(kThree, 1), (0.4 + 0 + 0 + 0) / 4);
  EXPECT_DOUBLE_EQ(repetition(std::vector<Sequence>{Sequence(7, "a")}), 0.75);
}

TEST(Diversity, IsNothingForNoText) {
  EXPECT_EQ(distinct({}, 1), 0);
  EXPECT_EQ(distinct(kThree, 9, DistinctOver::ngrams), 0);
  EXPECT_EQ(repetition(kThree, 9), 0);
}

}  // namespace
}  // namespace tsrun
