#include "text/row_template.h"

#include "tsrun/base/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tsrun::text {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

TEST(LongestFirst, KeepsBoth_WhenThereIsRoom) { EXPECT_THAT(longest_first(3, 4, 7), Pair(3, 4)); }

TEST(LongestFirst, CutsOnlyTheLonger_UntilTheyAreEqual) {
  EXPECT_THAT(longest_first(2, 9, 7), Pair(2, 5));
  EXPECT_THAT(longest_first(9, 2, 7), Pair(5, 2));
}

TEST(LongestFirst, GivesTheOddIdToTheLonger_ElseToTheSecond) {
  EXPECT_THAT(longest_first(7, 6, 7), Pair(4, 3));
  EXPECT_THAT(longest_first(6, 7, 7), Pair(3, 4));
  EXPECT_THAT(longest_first(6, 6, 7), Pair(3, 4));
}

TEST(LongestFirst, LeavesNothing_WithoutRoom) { EXPECT_THAT(longest_first(2, 9, 0), Pair(0, 0)); }

TEST(Fill, MarksSegments_OfAPair) {
  const std::vector<int64_t> second = {20, 21};
  const Encoding row = fill(RowTemplate::bert(1, 2), {10}, &second, {});
  EXPECT_THAT(row.ids, ElementsAre(1, 10, 2, 20, 21, 2));
  EXPECT_THAT(row.segments, ElementsAre(0, 0, 0, 1, 1, 1));
}

TEST(Fill, KeepsBothSeparators_OfAPairWithAnEmptyText) {
  const std::vector<int64_t> second;
  EXPECT_THAT(fill(RowTemplate::bert(1, 2), {10}, &second, {}).ids, ElementsAre(1, 10, 2, 2));
}

TEST(Fill, CutsOneText_AtItsEnd) { EXPECT_THAT(fill(RowTemplate::bert(1, 2), {10, 11, 12}, nullptr, 4).ids, ElementsAre(1, 10, 11, 2)); }

TEST(Fill, RefusesALength_BelowTheSpecialTokens) {
  const std::vector<int64_t> second = {20};
  try {
    fill(RowTemplate::bert(1, 2), {10}, &second, 2);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::user);
    EXPECT_STREQ(error.what(), "max_length is 2, expected at least 3 (the special tokens of a row)");
  }
}

}  // namespace
}  // namespace tsrun::text
