#include "tsrun/base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "tsrun/base/error.h"
#include "tsrun/base/parallel.h"
#include "tsrun/base/philox.h"

namespace tsrun {
namespace {

using Block = std::array<uint32_t, 4>;

// The published known-answer vectors of Philox 4x32-10 (Random123).
TEST(Philox, GivesTheKnownAnswers) {
  EXPECT_EQ(philox::block({0, 0, 0, 0}, 0, 0), (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr uint32_t ones = 0xffffffff;
  EXPECT_EQ(philox::block({ones, ones, ones, ones}, ones, ones), (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox::block({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0xa4093822, 0x299f31d0),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Key, SplitsIntoDistinctChildren) {
  std::set<std::array<uint32_t, 2>> seen;
  const Key root = Key::root(1);
  for (uint64_t i = 0; i < 1000; ++i) {
    EXPECT_TRUE(seen.insert(root.split(i).words()).second);
    EXPECT_TRUE(seen.insert(root.split("name " + std::to_string(i)).words()).second);
    EXPECT_TRUE(seen.insert(Key::root(i + 2).words()).second);
    EXPECT_TRUE(seen.insert(root.split("epoch").split(i).words()).second);
  }
}

TEST(Key, NeverChangesItsStreams) {  // a basis is stored as its key: these numbers are part of the file formats
  const Key key = Key::root(42).split("dropout").split(7);
  EXPECT_EQ(key.words(), (std::array<uint32_t, 2>{520853735u, 864611289u}));
  std::array<float, 4> normal{}, uniform{};
  fill_normal(key, normal, 1000);
  fill_uniform(key, uniform, 1000);
  EXPECT_EQ(normal, (std::array<float, 4>{-0.0903304294f, -0.507282138f, 0.137261823f, 0.0983887911f}));
  EXPECT_EQ(uniform, (std::array<float, 4>{0.875686228f, 0.84695363f, 0.985840559f, 0.22398001f}));
}

TEST(Key, FlipsHalfTheBitsWhenASeedChangesByOne) {
  int flipped = 0;
  for (uint64_t seed = 0; seed < 256; ++seed) {
    const auto a = Key::root(seed).words(), b = Key::root(seed + 1).words();
    flipped += __builtin_popcount(a[0] ^ b[0]) + __builtin_popcount(a[1] ^ b[1]);
  }
  EXPECT_NEAR(flipped / 256.0, 32, 1.5);
}

TEST(Stream, RepeatsItselfUnderOneKey) {
  Stream a(Key::root(3)), b(Key::root(3));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(a.next(), b.next());
}

TEST(Stream, DrawsBelowItsBoundEvenly) {
  Stream stream(Key::root(5));
  std::array<int, 7> counts{};
  for (int i = 0; i < 70000; ++i) ++counts.at(stream.below(7));
  for (const int count : counts) EXPECT_NEAR(count, 10000, 500);
  EXPECT_EQ(stream.below(1), 0u);
  EXPECT_THROW(stream.below(0), Error);
}

TEST(Stream, DrawsInProportionToWeights) {
  Stream stream(Key::root(6));
  const std::vector<double> weights{0, 1, 3, 0};
  std::array<int, 4> counts{};
  for (int i = 0; i < 40000; ++i) ++counts.at(stream.weighted(weights));
  EXPECT_EQ(counts[0] + counts[3], 0);
  EXPECT_NEAR(counts[1], 10000, 500);
  EXPECT_THROW(stream.weighted(std::vector<double>{0, 0}), Error);
}

TEST(Stream, NormalHasMeanZeroAndVarianceOne) {
  Stream stream(Key::root(8));
  double sum = 0, squares = 0;
  constexpr int count = 100000;
  for (int i = 0; i < count; ++i) {
    const double x = stream.normal();
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / count, 0, 0.02);
  EXPECT_NEAR(squares / count, 1, 0.03);
}

TEST(Permutation, HoldsEveryIndexOnce) {
  auto order = permutation(Key::root(9), 1000);
  EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
  EXPECT_EQ(order, permutation(Key::root(9), 1000));
  std::sort(order.begin(), order.end());
  for (int64_t i = 0; i < 1000; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
  EXPECT_TRUE(permutation(Key::root(9), 0).empty());
}

TEST(Permutation, PutsEveryIndexEverywhere) {
  std::array<std::array<int, 4>, 4> counts{};
  for (uint64_t seed = 0; seed < 8000; ++seed) {
    const auto order = permutation(Key::root(seed), 4);
    for (size_t i = 0; i < 4; ++i) ++counts[i][static_cast<size_t>(order[i])];
  }
  for (const auto& row : counts)
    for (const int count : row) EXPECT_NEAR(count, 2000, 200);
}

class Fill : public ::testing::TestWithParam<bool> {
 protected:
  static void fill(std::span<float> out, uint64_t offset) {
    GetParam() ? fill_normal(Key::root(1), out, offset) : fill_uniform(Key::root(1), out, offset);
  }
};

TEST_P(Fill, GivesTheSameNumbersForEverySplit) {
  std::vector<float> whole(5000);
  fill(whole, 300);
  for (const size_t first : {0u, 1u, 3u, 4u, 211u, 212u, 213u, 468u, 2500u, 4999u, 5000u}) {
    std::vector<float> parts(whole.size());
    const std::span<float> view(parts);
    fill(view.first(first), 300);
    fill(view.subspan(first), 300 + first);
    EXPECT_EQ(parts, whole) << "split at " << first;
  }
}

TEST_P(Fill, GivesTheSameNumbersForEveryThreadCount) {
  const int before = threads();
  std::vector<float> one(100000), three(100000);
  set_threads(1);
  fill(one, 17);
  set_threads(3);
  fill(three, 17);
  set_threads(before);
  EXPECT_EQ(one, three);
}

TEST_P(Fill, ReachesOffsetsBeyondThirtyTwoBits) {
  std::vector<float> near(8), far(8);
  fill(near, 0);
  fill(far, uint64_t{1} << 34);
  EXPECT_NE(near, far);
}

INSTANTIATE_TEST_SUITE_P(Distributions, Fill, ::testing::Bool(), [](const auto& info) { return info.param ? "Normal" : "Uniform"; });

TEST(FillNormal, HasTheMomentsAndTailsOfANormal) {
  std::vector<float> out(1 << 20);
  fill_normal(Key::root(2), out);
  const double n = static_cast<double>(out.size());
  double mean = 0, second = 0, fourth = 0, neighbours = 0;
  int64_t beyond_two = 0, beyond_four = 0;
  for (size_t i = 0; i < out.size(); ++i) {
    const double x = out[i];
    ASSERT_TRUE(std::isfinite(x));
    mean += x / n;
    second += x * x / n;
    fourth += x * x * x * x / n;
    neighbours += i > 0 ? x * static_cast<double>(out[i - 1]) / n : 0;
    beyond_two += std::abs(x) > 2;
    beyond_four += std::abs(x) > 4;
  }
  EXPECT_NEAR(mean, 0, 0.005);
  EXPECT_NEAR(second, 1, 0.01);
  EXPECT_NEAR(fourth, 3, 0.06);
  EXPECT_NEAR(neighbours, 0, 0.005);
  EXPECT_NEAR(static_cast<double>(beyond_two) / n, 0.0455, 0.001);
  EXPECT_NEAR(static_cast<double>(beyond_four) / n, 6.33e-5, 4e-5);
}

TEST(FillNormal, AgreesWithBoxMullerInDoublePrecision) {
  const Key key = Key::root(4);
  std::vector<float> out(4096);
  fill_normal(key, out);
  for (size_t i = 0; i < out.size() / 4; ++i) {
    const auto words = key.block(i);
    for (size_t half = 0; half < 2; ++half) {
      const double radius = std::sqrt(-2 * std::log((static_cast<double>(words[2 * half] >> 1) + 0.5) * 0x1p-31));
      const double x = out[4 * i + 2 * half], y = out[4 * i + 2 * half + 1];
      EXPECT_NEAR(std::hypot(x, y), radius, 2e-6 * (1 + radius));
    }
  }
}

TEST(FillNormal, ScalesByMeanAndDeviation) {
  std::vector<float> standard(100), scaled(100);
  fill_normal(Key::root(1), standard);
  fill_normal(Key::root(1), scaled, 0, 5, 0.5f);
  for (size_t i = 0; i < 100; ++i) EXPECT_FLOAT_EQ(scaled[i], 5 + 0.5f * standard[i]);
}

TEST(FillUniform, StaysInItsRange) {
  std::vector<float> out(100000);
  fill_uniform(Key::root(3), out, 0, -2, 4);
  const auto [least, most] = std::minmax_element(out.begin(), out.end());
  EXPECT_GE(*least, -2);
  EXPECT_LE(*most, 4);
  EXPECT_LT(*least, -1.99);
  EXPECT_GT(*most, 3.99);
  EXPECT_NEAR(std::accumulate(out.begin(), out.end(), 0.0) / 1e5, 1, 0.03);
}

}  // namespace
}  // namespace tsrun
