#include "tsrun/linalg/ranking.h"
#include "tsrun/base/random.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>

namespace tsrun {
namespace {

const float nan_value = std::numeric_limits<float>::quiet_NaN();

TEST(Select, TakesTheLargest_TiesByIndex_NanLast) {
  const std::vector<float> values = {1, nan_value, 5, 2, 5, -1, 2, 5};
  EXPECT_EQ(top_k(values, 2), (std::vector<int64_t>{2, 4}));
  EXPECT_EQ(top_k(values, 4), (std::vector<int64_t>{2, 3, 4, 7}));
  EXPECT_EQ(top_k_ordered(values, 4), (std::vector<int64_t>{2, 4, 7, 3}));
  EXPECT_EQ(top_k_ordered(values, 99).back(), 1);
  EXPECT_TRUE(top_k(values, 0).empty());
}

TEST(Select, MarksWhatTopKLists_OverTies_Signs_AndInfinities) {
  std::vector<float> values(200'000);
  fill_uniform(Key::root(3), values);
  for (size_t i = 0; i < values.size(); ++i) values[i] = std::round((values[i] - 0.5F) * 300) / 100;  // many ties, both zeros
  values[7] = nan_value;
  values[11] = -std::numeric_limits<float>::infinity();
  values[199'999] = std::numeric_limits<float>::infinity();
  const auto all = static_cast<int64_t>(values.size());
  for (const int64_t k : {int64_t{0}, int64_t{1}, int64_t{1000}, int64_t{99'990}, all - 2, all - 1, all, all + 5}) {
    std::vector<int64_t> marked;
    const auto chosen = std::make_unique<bool[]>(values.size());
    mark_largest(values, k, chosen.get());
    for (int64_t i = 0; i < all; ++i)
      if (chosen[static_cast<size_t>(i)]) marked.push_back(i);
    EXPECT_EQ(marked, top_k(values, k)) << k;
  }
}

TEST(Select, MarksOverSeveralRuns_AsIfTheyLayEndToEnd) {
  const std::vector<float> values = {3, 1, 2, 3, 2, nan_value, 2, 0, 3};
  const std::span<const float> all = values;
  const std::vector<std::span<const float>> runs = {all.first(4), all.subspan(4, 0), all.subspan(4)};
  for (int64_t k = 0; k <= 9; ++k) {
    bool whole[9], apart[9];
    const std::vector<bool*> parts = {apart, apart + 4, apart + 4};
    mark_largest(all, k, whole);
    mark_largest(runs, k, parts);
    EXPECT_TRUE(std::equal(whole, whole + 9, apart)) << k;
  }
}

TEST(Select, ThresholdIsStrict) {
  const std::vector<float> values = {1, 2, nan_value, 3, 2};
  EXPECT_EQ(indices_above(values, 2), (std::vector<int64_t>{3}));
  EXPECT_EQ(indices_above(values, 1.5), (std::vector<int64_t>{1, 3, 4}));
}

TEST(RankCorrelation, IsSpearmans_WithMeanRanksForTies) {
  const std::vector<float> a = {-3, -1, 0, 2, 8}, b = {1, 4, 9, 16, 25}, down = {5, 4, 3, 2, 1};
  EXPECT_DOUBLE_EQ(rank_correlation(a, b), 1);
  EXPECT_DOUBLE_EQ(rank_correlation(a, down), -1);
  const std::vector<float> x = {1, 2, 2, 3}, y = {1, 3, 2, 4};  // ranks of x: 1, 2.5, 2.5, 4
  EXPECT_NEAR(rank_correlation(x, y), 4.5 / std::sqrt(4.5 * 5.0), 1e-12);
  const std::vector<float> constant = {7, 7, 7, 7}, zeros = {-0.0f, 0.0f, 1, 2}, same = {0.0f, -0.0f, 1, 2};
  EXPECT_EQ(rank_correlation(x, constant), 0);
  EXPECT_DOUBLE_EQ(rank_correlation(zeros, same), 1);
}

}  // namespace
}  // namespace tsrun
