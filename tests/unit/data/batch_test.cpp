#include "tsrun/data/batch.h"
#include "unit/data/failure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace tsrun {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

EncodedSplit three_rows() { return {{{{1, 5, 2}, {0, 0, 0}}, {{1, 2}, {0, 0}}, {{1, 6, 2, 7, 2}, {0, 0, 0, 1, 1}}}, {0, 1, 2}}; }

TEST(Pack, LaysRowsEndToEnd) {
  const std::vector<int64_t> rows = {2, 0};
  const PackedRows packed = pack(three_rows(), rows);
  EXPECT_THAT(packed.ids, ElementsAre(1, 6, 2, 7, 2, 1, 5, 2));
  EXPECT_THAT(packed.segments, ElementsAre(0, 0, 0, 1, 1, 0, 0, 0));
  EXPECT_THAT(packed.positions, ElementsAre(0, 1, 2, 3, 4, 0, 1, 2));
  EXPECT_THAT(packed.offsets, ElementsAre(0, 5, 8));
  EXPECT_THAT(packed.targets, ElementsAre(2, 0));
  EXPECT_THAT(packed.row_numbers, ElementsAre(2, 0));
  EXPECT_EQ(packed.rows(), 2);
  EXPECT_EQ(packed.tokens(), 8);
}

TEST(Pack, RefusesRowsOutsideTheSplit) {
  const std::vector<int64_t> rows = {3};
  EXPECT_EQ(failure([&] { pack(three_rows(), rows); }, ErrorKind::internal), "row 3 is outside a split of 3 rows");
}

TEST(EncodeSplit, KeepsOrder_AndTruncatesPairs) {
  const auto tokenizer = make_wordpiece({"[UNK]", "[CLS]", "[SEP]", "a", "b"});
  const Split split = {"train", {{"a a a", "b b", 1, 0}, {"b", std::nullopt, 0, 1}}, 0, ""};
  const EncodedSplit encoded = encode_split(split, *tokenizer, 6);
  EXPECT_THAT(encoded.rows[0].ids, ElementsAre(1, 3, 3, 2, 4, 2));
  EXPECT_THAT(encoded.rows[1].ids, ElementsAre(1, 4, 2));
  EXPECT_THAT(encoded.targets, ElementsAre(1, 0));
}

std::vector<int64_t> epoch_rows(Sampler& sampler, int64_t epoch) {
  std::vector<int64_t> rows;
  for (int64_t index = 0; index < sampler.batches_per_epoch(); ++index) {
    const auto batch = sampler.batch(epoch, index);
    rows.insert(rows.end(), batch.begin(), batch.end());
  }
  return rows;
}

TEST(Sampler, ShowsEveryRowOnce_EachEpochInAnotherOrder) {
  Sampler sampler(Key::root(1), 10, 4);
  EXPECT_EQ(sampler.batches_per_epoch(), 3);
  EXPECT_EQ(sampler.batch(0, 2).size(), 2u);
  const std::vector<int64_t> first = epoch_rows(sampler, 0), second = epoch_rows(sampler, 1);
  EXPECT_NE(first, second);
  for (std::vector<int64_t> rows : {first, second}) {
    std::sort(rows.begin(), rows.end());
    EXPECT_THAT(rows, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
  }
}

TEST(Sampler, GivesTheSameBatch_InWhateverOrderItIsAsked) {
  Sampler forward(Key::root(1), 100, 7), resumed(Key::root(1), 100, 7), other(Key::root(2), 100, 7);
  epoch_rows(forward, 0);
  const auto expected = epoch_rows(forward, 3);
  const auto batch = resumed.batch(3, 5);
  EXPECT_THAT(batch, ElementsAreArray(expected.begin() + 35, expected.begin() + 42));
  EXPECT_NE(epoch_rows(other, 3), expected);
}

TEST(Sampler, RefusesWhatIsNoBatch) {
  Sampler sampler(Key::root(1), 10, 4);
  EXPECT_EQ(failure([&] { sampler.batch(0, 3); }, ErrorKind::internal), "batch 3 of epoch 0, expected one of 3");
  EXPECT_EQ(failure([] { Sampler(Key::root(1), 10, 0); }, ErrorKind::internal),
            "a sampler of 10 rows in batches of 0, expected at least 1 of each");
}

}  // namespace
}  // namespace tsrun
