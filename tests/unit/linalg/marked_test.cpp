#include "tsrun/linalg/marked.h"

#include "support/every_vectors.h"
#include "tsrun/base/random.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <vector>

namespace tsrun {
namespace {

constexpr int64_t size = (1 << 15) + 77;  // more than a block

std::vector<float> numbers(uint64_t key) {
  std::vector<float> drawn(size);
  fill_normal(Key::root(key), drawn);
  return drawn;
}

std::unique_ptr<bool[]> every_third() {
  auto marks = std::make_unique<bool[]>(size);
  for (int64_t i = 0; i < size; ++i) marks[static_cast<size_t>(i)] = i % 3 == 0;
  return marks;
}

TEST(Marked, AreMixedWithATarget) {
  const auto marks = every_third();
  const std::vector<float> from = numbers(1), target = numbers(2);
  std::vector<float> some(from.size()), all(from.size());
  mix_marked(from, target.data(), marks.get(), 1.25F, some.data());
  mix_marked(from, target.data(), nullptr, 1.25F, all.data());
  for (size_t i = 0; i < from.size(); ++i) {
    const float mixed = target[i] + 1.25F * (from[i] - target[i]);
    ASSERT_EQ(some[i], i % 3 == 0 ? mixed : target[i]) << i;
    ASSERT_EQ(all[i], mixed) << i;
  }
}

TEST(Marked, AreZeroAndNoOthers) {
  const auto marks = every_third();
  with_every_vectors([&] {
    std::vector<float> found = numbers(1);
    found[3] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_TRUE(zero_marked(found, marks.get()));
    const std::vector<float> before = numbers(1);
    for (size_t i = 0; i < found.size(); ++i) ASSERT_EQ(found[i], i % 3 == 0 ? 0 : before[i]) << i;
  });
}

TEST(Marked, HaveActed_UnlessAllOfThemWereZero) {
  const auto marks = every_third();
  std::vector<float> found = numbers(1);
  zero_marked(found, marks.get());
  found[6] = -0.0F;
  EXPECT_FALSE(zero_marked(found, marks.get()));
  found[size - 1 - (size - 1) % 3] = std::numeric_limits<float>::denorm_min();
  EXPECT_TRUE(zero_marked(found, marks.get()));
  found[3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(zero_marked(found, marks.get()));
}

TEST(Marked, ShareTheSquaredChangeWithTheOthers) {
  const auto marks = every_third();
  const std::vector<float> before = numbers(1), after = numbers(2);
  double expected[2] = {};
  for (int64_t i = 0; i < size; ++i) {
    const float change = after[static_cast<size_t>(i)] - before[static_cast<size_t>(i)];
    expected[i % 3 == 0] += static_cast<double>(change * change);
  }
  with_every_vectors([&] {
    const SquaredChange found = squared_change(before, after, marks.get());
    EXPECT_NEAR(found.marked, expected[1], 1e-10 * expected[1]);
    EXPECT_NEAR(found.others, expected[0], 1e-10 * expected[0]);
  });
}

}  // namespace
}  // namespace tsrun
