#include "tsrun/linalg/hadamard.h"

#include "tsrun/base/error.h"
#include "tsrun/base/parallel.h"
#include "tsrun/base/random.h"

#include "support/every_vectors.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

namespace tsrun {
namespace {

std::vector<float> normals(int64_t count) {
  std::vector<float> x(static_cast<size_t>(count));
  fill_normal(Key::root(3), x);
  return x;
}

/// Row i of the dense product, straight from the definition, in float64.
double dense_row(const std::vector<float>& x, size_t i) {
  double sum = 0;
  for (size_t j = 0; j < x.size(); ++j) sum += std::popcount(i & j) % 2 == 0 ? x[j] : -static_cast<double>(x[j]);
  return sum;
}

/// Lengths around every boundary of the tiles, and one that needs two rounds of strided tiles.
class Hadamard : public ::testing::TestWithParam<int64_t> {};
INSTANTIATE_TEST_SUITE_P(Lengths, Hadamard, ::testing::Values(1, 2, 8, 64, 2048, 4096, 8192, 1 << 15, 1 << 20, 1 << 21),
                         [](const auto& info) { return "Of" + std::to_string(info.param); });

TEST_P(Hadamard, EqualsTheDenseMatrix) {
  with_every_vectors([&] {
    const auto x = normals(GetParam());
    auto y = x;
    hadamard(y);
    const size_t step = x.size() <= 2048 ? 1 : (x.size() / 17) | 1;  // odd, so that low and high bits vary
    const double scale = std::sqrt(static_cast<double>(x.size()));
    for (size_t i = 0; i < x.size(); i += step) ASSERT_NEAR(y[i], dense_row(x, i), 2e-6 * scale) << i;
  });
}

TEST_P(Hadamard, AppliedTwiceGivesNTimesTheVector) {
  const auto x = normals(GetParam());
  auto y = x;
  hadamard(y);
  hadamard(y);
  for (size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(y[i] / static_cast<double>(x.size()), x[i], 5e-6) << i;
}

TEST_P(Hadamard, GivesTheSameBytesOnAnyNumberOfThreads) {
  with_every_vectors([&] {
    const int before = threads();
    auto one = normals(GetParam()), two = one;
    set_threads(1);
    hadamard(one);
    set_threads(2);
    hadamard(two);
    set_threads(before);
    EXPECT_EQ(one, two);
  });
}

TEST_P(Hadamard, GivesTheSameBytesWithAllVectors) {
  std::vector<std::vector<float>> results;
  with_every_vectors([&] {
    results.push_back(normals(GetParam()));
    hadamard(results.back());
  });
  for (const auto& result : results) EXPECT_EQ(result, results.front());
}

TEST(HadamardLengths, RefusesWhatIsNoPowerOfTwo) {
  std::vector<float> x(12), none;
  EXPECT_THROW(hadamard(x), Error);
  EXPECT_THROW(hadamard(none), Error);
}

}  // namespace
}  // namespace tsrun
