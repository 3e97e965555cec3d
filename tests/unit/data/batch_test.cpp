#include "tsrun/data/batch.h"
#include "unit/data/failure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace tsrun {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

EncodedSplit three_rows() {
  EncodedSplit split;
  split.rows = {{{1, 5, 2}, {0, 0, 0}}, {{1, 2}, {0, 0}}, {{1, 6, 2, 7, 2}, {0, 0, 0, 1, 1}}};
  split.targets = {0, 1, 2};
  return split;
}

TEST(Pack, LaysRowsEndToEnd) {
  const std::vector<int64_t> rows = {2, 0};
  const PackedRows packed = pack_batch(three_rows(), rows);
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
  EXPECT_EQ(failure([&] { pack_batch(three_rows(), rows); }, ErrorKind::internal), "row 3 is outside a split of 3 rows");
}

TEST(Pack, LaysDecoderRows_AndTokenTargets) {
  EncodedSplit split = three_rows();
  split.decoder_rows = {{0, 8}, {0}, {0, 9, 9}};
  split.token_targets = {{8, 2}, {2}, {9, 9, 2}};
  const std::vector<int64_t> rows = {2, 1};
  const PackedRows packed = pack_batch(split, rows);
  EXPECT_THAT(packed.decoder_ids, ElementsAre(0, 9, 9, 0));
  EXPECT_THAT(packed.decoder_offsets, ElementsAre(0, 3, 4));
  EXPECT_THAT(packed.token_targets, ElementsAre(9, 9, 2, 2));
  EXPECT_THAT(packed.positions, ElementsAre(0, 1, 2, 3, 4, 0, 1));
}

TEST(Pack, HasNoDecoder_WhereThereIsNone) {
  const std::vector<int64_t> rows = {0};
  const PackedRows packed = pack_batch(three_rows(), rows);
  EXPECT_TRUE(packed.decoder_ids.empty() && packed.decoder_offsets.empty() && packed.token_targets.empty());
  EXPECT_EQ(pack_batch(three_rows(), {}).rows(), 0);
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
