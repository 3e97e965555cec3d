#include "tsrun/linalg/row_combination.h"

#include <gtest/gtest.h>

#include <vector>

namespace tsrun {
namespace {

TEST(RowCombination, AddsADirectionToEveryRow) {
  const std::vector<double> x = {1, 2, 3, 4, 5, 6}, own = {2, -1}, direction = {10, 0, 1}, factor = {1, 3};
  std::vector<double> out(6);
  combine_rows(x.data(), 2, 3, own.data(), direction.data(), factor.data(), out.data());
  EXPECT_EQ(out, (std::vector<double>{12, 4, 7, 26, -5, -3}));
}

}  // namespace
}  // namespace tsrun
