#include "tsrun/base/suggest.h"

#include <gtest/gtest.h>

namespace tsrun {
namespace {

const std::vector<std::string> known{"rank", "alpha", "dropout", "learning_rate"};

TEST(DidYouMean, FindsTheNearestName) {
  EXPECT_EQ(did_you_mean("rnk", known), " (did you mean 'rank'?)");
  EXPECT_EQ(did_you_mean("rakn", known), " (did you mean 'rank'?)");
  EXPECT_EQ(did_you_mean("Alpha", known), " (did you mean 'alpha'?)");
  EXPECT_EQ(did_you_mean("learning_rte", known), " (did you mean 'learning_rate'?)");
  EXPECT_EQ(did_you_mean("learningrate", known), " (did you mean 'learning_rate'?)");
}

TEST(DidYouMean, KeepsSilentWhenNothingIsNear) {
  EXPECT_EQ(did_you_mean("zebra", known), "");
  EXPECT_EQ(did_you_mean("", known), "");
  EXPECT_EQ(did_you_mean("x", known), "");
  EXPECT_EQ(did_you_mean("rank", {}), "");
  EXPECT_EQ(did_you_mean(std::string(1000000, 'a'), known), "");
}

TEST(JoinWords, WritesLists) {
  const std::vector<std::string> words{"a", "b", "c"};
  EXPECT_EQ(join_words({}), "");
  EXPECT_EQ(join_words(std::span(words).first(1)), "a");
  EXPECT_EQ(join_words(std::span(words).first(2)), "a and b");
  EXPECT_EQ(join_words(words), "a, b and c");
}

}  // namespace
}  // namespace tsrun
