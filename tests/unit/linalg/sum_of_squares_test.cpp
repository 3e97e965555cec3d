#include "tsrun/linalg/sum_of_squares.h"

#include "support/every_vectors.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <vector>

namespace tsrun {
namespace {

/// Squares of whole numbers add up without rounding.
TEST(SumOfSquares, IsExactOfWholeNumbers) {
  with_every_vectors([] {
    for (const size_t size : {0, 1, 15, 16, 17, 100}) {
      std::vector<float> x;
      for (size_t k = 1; k <= size; ++k) x.push_back(static_cast<float>(k % 2 == 0 ? k : -static_cast<double>(k)));
      const auto n = static_cast<double>(size);
      EXPECT_EQ(sum_of_squares(x), n * (n + 1) * (2 * n + 1) / 6) << size;
    }
  });
}

TEST(SumOfSquares, IsTheSameNumberForEveryVectors) {
  std::vector<float> x;
  for (int k = 0; k < 1003; ++k) x.push_back(static_cast<float>(std::sin(k)) * 1e3f);
  std::set<double> sums;
  with_every_vectors([&] { sums.insert(sum_of_squares(x)); });
  EXPECT_EQ(sums.size(), 1u);
}

}  // namespace
}  // namespace tsrun
