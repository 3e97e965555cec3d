#include "tsrun/geometry/frequency.h"

#include "support/errors.h"

#include <gmock/gmock.h>

namespace tsrun {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Ranks: 4, 1, 3, 6, 0; ids 2 and 5 are never seen.
const std::vector<int64_t> kOccurrences = {1, 7, 0, 2, 9, 0, 2};

TEST(FrequencyBuckets, EndAtRanks_WithWordsNeverSeenBehind) {
  const auto buckets = frequency_buckets(kOccurrences, {1, 3});
  ASSERT_EQ(buckets.size(), 4U);
  EXPECT_EQ(buckets[0].name, "rank 1");
  EXPECT_THAT(buckets[0].ids, ElementsAre(4));
  EXPECT_EQ(buckets[1].name, "ranks 2 to 3");
  EXPECT_THAT(buckets[1].ids, ElementsAre(1, 3));  // of equal frequency the smaller id first
  EXPECT_EQ(buckets[1].occurrences, 9);
  EXPECT_EQ(buckets[2].name, "ranks 4 to 5");
  EXPECT_THAT(buckets[2].ids, ElementsAre(6, 0));
  EXPECT_EQ(buckets[3].name, "never seen");
  EXPECT_THAT(buckets[3].ids, ElementsAre(2, 5));
  EXPECT_EQ(buckets[3].occurrences, 0);
}

TEST(FrequencyBuckets, LeaveOutEmptyOnes) {
  const auto buckets = frequency_buckets({3, 1, 2}, {2, 3, 10, 100});
  ASSERT_EQ(buckets.size(), 2U);
  EXPECT_EQ(buckets[1].name, "rank 3");
  EXPECT_THAT(frequency_buckets({0, 0}, {1}).front().ids, ElementsAre(0, 1));
}

TEST(FrequencyBuckets, RefusesRanksThatDoNotAscend) {
  for (const std::vector<int64_t>& ranks : {std::vector<int64_t>{0}, {2, 2}, {3, 1}})
    EXPECT_THAT(testing::message_of(ErrorKind::user, [&] { frequency_buckets(kOccurrences, ranks); }), HasSubstr("ascend"));
}

TEST(EqualRanks, GiveEveryBucketTheSameNumberOfSeenWords_ToOne) {
  EXPECT_THAT(equal_ranks(kOccurrences, 2), ElementsAre(2, 5));
  EXPECT_THAT(equal_ranks(kOccurrences, 5), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(equal_ranks(kOccurrences, 9), ElementsAre(1, 2, 3, 4, 5));
}

TEST(Occurrences, CountBothStacks_AndNoForeignIds) {
  EncodedSplit split;
  split.rows.resize(2);
  split.rows[0].ids = {1, 1, 4};
  split.rows[1].ids = {9, -1, 0};
  split.decoder_rows = {{1}, {3}};
  EXPECT_THAT(occurrences_of(split, 5), ElementsAre(1, 3, 0, 1, 1));
}

TEST(Thinned, TakesEvenlySpacedOnes) {
  EXPECT_THAT(thinned({0, 1, 2, 3, 4, 5}, 3), ElementsAre(0, 2, 4));
  EXPECT_THAT(thinned({5, 6}, 3), ElementsAre(5, 6));
}

}  // namespace
}  // namespace tsrun
