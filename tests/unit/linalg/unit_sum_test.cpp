#include "tsrun/linalg/unit_sum.h"

#include "tsrun/base/parallel.h"

#include "support/every_vectors.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>
#include <vector>

namespace tsrun {
namespace {

struct UnitRows {
  int64_t rows, width;
  std::vector<double> x;
};

UnitRows drawn_rows(int64_t rows, int64_t width) {
  std::mt19937 engine(7);
  std::normal_distribution<double> normal;
  UnitRows sample{rows, width, std::vector<double>(static_cast<size_t>(rows * width))};
  for (double& value : sample.x) value = normal(engine);
  return sample;
}

double norm_of(const UnitRows& sample, int64_t row) {
  double sum = 0;
  for (int64_t k = 0; k < sample.width; ++k) sum += std::pow(sample.x[static_cast<size_t>(row * sample.width + k)], 2);
  return std::sqrt(sum);
}

void expect_sums_of_units() {
  for (const auto& [rows, width] : {std::pair<int64_t, int64_t>{1, 1}, {5, 3}, {700, 37}, {256, 16}}) {
    UnitRows sample = drawn_rows(rows, width);
    if (rows > 2) std::fill_n(sample.x.begin() + width, width, 0.0);
    std::vector<double> inverse(static_cast<size_t>(rows)), expected(static_cast<size_t>(width));
    const std::vector<double> sum = sum_of_units(sample.x.data(), rows, width, inverse.data());
    for (int64_t i = 0; i < rows; ++i) {
      const double norm = norm_of(sample, i);
      EXPECT_NEAR(inverse[static_cast<size_t>(i)], norm > 0 ? 1 / norm : 0, 1e-14);
      for (int64_t k = 0; k < width && norm > 0; ++k)
        expected[static_cast<size_t>(k)] += sample.x[static_cast<size_t>(i * width + k)] / norm;
    }
    for (size_t k = 0; k < sum.size(); ++k) EXPECT_NEAR(sum[k], expected[k], 1e-12);
  }
}

TEST(UnitSum, IsTheSumOfRowsOverTheirNorms) { with_every_vectors(expect_sums_of_units); }

/// y = (3, 4): ŷ = (0.6, 0.8); of direction (1, 0), (d − 0.6 ŷ) / 5 = (0.128, −0.096). A zero row keeps its gradient.
TEST(UnitSum, AddsTheGradient) {
  const std::vector<double> x = {3, 4, 0, 0};
  std::vector<double> inverse(2), gradient = {1, 1, 5, 6};
  sum_of_units(x.data(), 2, 2, inverse.data());
  add_gradients_of_units(x.data(), 2, 2, inverse.data(), {1, 0}, 10, gradient.data());
  EXPECT_NEAR(gradient[0], 2.28, 1e-14);
  EXPECT_NEAR(gradient[1], 0.04, 1e-14);
  EXPECT_EQ(gradient[2], 5);
  EXPECT_EQ(gradient[3], 6);
}

void expect_the_same_of_float32() {
  const UnitRows sample = drawn_rows(900, 50);
  const std::vector<float> narrow(sample.x.begin(), sample.x.end());
  const std::vector<double> wide(narrow.begin(), narrow.end());
  const int before = threads();
  std::vector<std::vector<double>> sums;
  std::vector<std::vector<float>> gradients;
  for (const int count : {1, 2, 3}) {
    set_threads(count);
    std::vector<float> inverse(900), gradient(narrow.size(), 0.5F);
    sums.push_back(sum_of_units(narrow.data(), 900, 50, inverse.data()));
    add_gradients_of_units(narrow.data(), 900, 50, inverse.data(), sums.back(), 2, gradient.data());
    gradients.push_back(gradient);
  }
  set_threads(before);
  for (size_t i = 1; i < sums.size(); ++i) {
    EXPECT_EQ(sums[i], sums[0]);
    EXPECT_EQ(gradients[i], gradients[0]);
  }
  std::vector<double> inverse(900), gradient(wide.size(), 0.5);
  const std::vector<double> sum = sum_of_units(wide.data(), 900, 50, inverse.data());
  add_gradients_of_units(wide.data(), 900, 50, inverse.data(), sum, 2, gradient.data());
  for (size_t k = 0; k < sum.size(); ++k) EXPECT_NEAR(sums[0][k], sum[k], 1e-4);
  for (size_t k = 0; k < gradient.size(); ++k)
    EXPECT_NEAR(static_cast<double>(gradients[0][k]), gradient[k], 1e-4 * (1 + std::abs(gradient[k])));
}

TEST(UnitSum, OfFloat32IsThatOfFloat64_ByAnyNumberOfThreads) { with_every_vectors(expect_the_same_of_float32); }

}  // namespace
}  // namespace tsrun
