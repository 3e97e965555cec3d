#include "tsrun/linalg/nearest_units.h"

#include "support/every_vectors.h"
#include "tsrun/base/error.h"
#include "tsrun/base/parallel.h"
#include "tsrun/base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace tsrun {
namespace {

/// Random directions, some of them twice, nearly twice or opposite, some zero.
std::vector<float> units(int64_t count, int64_t width) {
  std::vector<float> rows(static_cast<size_t>(count * width));
  fill_normal(Key::root(5), rows);
  for (int64_t i = 0; i < count; ++i) {
    float* row = rows.data() + i * width;
    if (i % 7 == 6) std::copy_n(row - 3 * width, width, row);
    if (i % 14 == 13) row[0] += 1e-4F;
    if (i % 11 == 10) std::transform(row - 5 * width, row - 4 * width, row, [](float x) { return -x; });
    if (i % 29 == 28) std::fill_n(row, width, 0.0F);
    const double length = std::sqrt(std::inner_product(row, row + width, row, 0.0));
    if (length > 0) std::transform(row, row + width, row, [&](float x) { return static_cast<float>(x / length); });
  }
  return rows;
}

/// Products of a row with all others in a plain loop, the largest first, then the lower row.
std::vector<std::pair<float, int64_t>> sorted_products(const std::vector<float>& rows, int64_t count, int64_t width, int64_t row) {
  std::vector<std::pair<float, int64_t>> products;
  for (int64_t other = 0; other < count; ++other) {
    double sum = 0;
    for (int64_t k = 0; k < width; ++k)
      sum += static_cast<double>(rows[static_cast<size_t>(row * width + k)]) * rows[static_cast<size_t>(other * width + k)];
    if (other != row && !std::isnan(sum)) products.emplace_back(static_cast<float>(sum), other);
  }
  std::sort(products.begin(), products.end(),
            [](const auto& a, const auto& b) { return a.first != b.first ? a.first > b.first : a.second < b.second; });
  return products;
}

struct Size {
  int64_t count, width, k;
};

class NearestUnits : public testing::TestWithParam<Size> {};

TEST_P(NearestUnits, AreThoseOfAPlainLoop_WithAllVectorsAndThreads) {
  const auto [count, width, k] = GetParam();
  const std::vector<float> rows = units(count, width);
  std::vector<std::vector<std::pair<float, int64_t>>> expected;
  for (int64_t row = 0; row < count; ++row) expected.push_back(sorted_products(rows, count, width, row));
  const int before = threads();
  with_every_vectors([&, count = count, width = width, k = k] {
    for (const int used : {1, 3}) {
      set_threads(used);
      const LargestLists found = nearest_units(rows.data(), count, width, k);
      for (int64_t row = 0; row < count; ++row) {
        for (int64_t i = 0; i < k; ++i) {
          const auto& [value, column] = expected[static_cast<size_t>(row)][static_cast<size_t>(i)];
          ASSERT_EQ(found.columns()[static_cast<size_t>(row * k + i)], column) << row << ' ' << i;
          ASSERT_EQ(found.values()[static_cast<size_t>(row * k + i)], value) << row << ' ' << i;
        }
      }
    }
  });
  set_threads(before);
}

INSTANTIATE_TEST_SUITE_P(Sizes, NearestUnits, testing::Values(Size{2, 1, 1}, Size{97, 33, 10}, Size{30, 5, 29}, Size{611, 20, 3}));

TEST(NearestUnits, LeaveOutRowsThatAreNotFinite) {
  constexpr int64_t count = 40, width = 6, k = 3;
  for (const float broken : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<float> rows = units(count, width);
    rows[5 * width + 2] = broken;
    const LargestLists found = nearest_units(rows.data(), count, width, k);
    for (int64_t i = 0; i < count * k; ++i) EXPECT_EQ(found.columns()[static_cast<size_t>(i)] < 0, i / k == 5) << i;
    EXPECT_EQ(std::count(found.columns().begin(), found.columns().end(), 5), 0);
  }
}

TEST(NearestUnits, RefuseLongerRows) {
  const std::vector<float> rows = {1, 0, 0, 2};
  EXPECT_THROW(nearest_units(rows.data(), 2, 2, 1), Error);
}

}  // namespace
}  // namespace tsrun
