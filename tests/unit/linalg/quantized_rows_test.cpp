#include "tsrun/linalg/quantized_rows.h"

#include "tsrun/base/random.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tsrun {
namespace {

/// Random rows, their rounded form, and what that stands for.
struct Sample {
  Sample(int64_t count, int64_t columns, int64_t block) {
    rows.columns = columns;
    rows.block = block;
    for (int64_t r = 0; r < count; ++r) {
      std::vector<float> row(static_cast<size_t>(columns));
      fill_normal(Key::root(static_cast<uint64_t>(r) + 1), row);
      row[static_cast<size_t>(columns / 2)] = 40;  // an outlier, which a scale of its own keeps from the others
      numbers.emplace_back(row.size());
      scales.emplace_back(static_cast<size_t>(scale_count(columns, block)));
      quantize_row(row, block, numbers.back(), scales.back());
      exact.push_back(std::move(row));
    }
    for (size_t r = 0; r < numbers.size(); ++r) rows.data.push_back(numbers[r].data()), rows.scales.push_back(scales[r].data());
  }
  double element(size_t r, size_t k) const {
    const size_t block = rows.block == 0 ? 0 : k / static_cast<size_t>(rows.block);
    return static_cast<double>(scales[r][block]) * numbers[r][k];
  }
  std::vector<std::vector<float>> exact, scales;
  std::vector<std::vector<int8_t>> numbers;
  QuantizedRows rows;
};

class QuantizedRowsTest : public ::testing::TestWithParam<int64_t> {};

TEST_P(QuantizedRowsTest, CombinesAndProjectsWhatItStores) {
  const Sample sample(5, 10007, GetParam());
  const std::vector<double> coefficients = {1, -2, 0.5, 0, 3};
  std::vector<float> out(10007, 1.0F), g(10007);
  fill_normal(Key::root(99), g);
  add_combination(sample.rows, coefficients, out);
  for (size_t k = 0; k < out.size(); k += 97) {
    double expected = 1;
    for (size_t r = 0; r < 5; ++r) expected += coefficients[r] * sample.element(r, k);
    EXPECT_NEAR(out[k], expected, 2e-5 * (1 + std::abs(expected)));
  }
  const auto products = dot_products(sample.rows, g);
  for (size_t r = 0; r < 5; ++r) {
    double expected = 0;
    for (size_t k = 0; k < g.size(); ++k) expected += sample.element(r, k) * g[k];
    EXPECT_NEAR(products[r], expected, 5e-3);
  }
}

TEST_P(QuantizedRowsTest, RoundsToHalfAStep) {
  const Sample sample(1, 5000, GetParam());
  for (size_t k = 0; k < 5000; ++k) {
    const size_t block = sample.rows.block == 0 ? 0 : k / static_cast<size_t>(sample.rows.block);
    EXPECT_LE(std::abs(sample.element(0, k) - sample.exact[0][k]), 0.501 * sample.scales[0][block]);
  }
}

INSTANTIATE_TEST_SUITE_P(Blocks, QuantizedRowsTest, ::testing::Values(0, 16, 256, 2048));

TEST(QuantizedRows, LosesLess_WhenAnOutlierKeepsItsScaleToItself) {
  const auto error = [](int64_t block) {
    const Sample sample(1, 5000, block);
    double sum = 0;
    for (size_t k = 0; k < 5000; ++k) sum += std::pow(sample.element(0, k) - sample.exact[0][k], 2);
    return sum;
  };
  EXPECT_LT(error(256), 0.1 * error(0));
}

TEST(QuantizedRows, KeepsZeros) {
  std::vector<int8_t> numbers(40, 1);
  std::vector<float> scales(3, 1);
  quantize_row(std::vector<float>(40, 0), 16, numbers, scales);
  EXPECT_EQ(numbers, std::vector<int8_t>(40, 0));
  EXPECT_EQ(scales, std::vector<float>(3, 0));
}

}  // namespace
}  // namespace tsrun
