#include "tsrun/linalg/largest_lists.h"

#include "support/every_vectors.h"
#include "tsrun/base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tsrun {
namespace {

/// A symmetric matrix of few different numbers, so that there are ties.
std::vector<float> symmetric_numbers(int64_t size) {
  std::vector<float> numbers(static_cast<size_t>(size * size));
  Stream stream(Key::root(3));
  for (int64_t i = 0; i < size; ++i)
    for (int64_t j = 0; j <= i; ++j)
      numbers[static_cast<size_t>(i * size + j)] = numbers[static_cast<size_t>(j * size + i)] = static_cast<float>(stream.below(40));
  return numbers;
}

std::vector<float> block_of(const std::vector<float>& all, int64_t size, int64_t row, int64_t rows, int64_t column, int64_t columns) {
  std::vector<float> block;
  for (int64_t i = row; i < row + rows; ++i)
    block.insert(block.end(), all.begin() + i * size + column, all.begin() + i * size + column + columns);
  return block;
}

TEST(LargestLists, AreThoseOfASortedRow_FromBlocksOfTheUpperHalf) {
  constexpr int64_t size = 230, at_once = 100, k = 7;
  const auto all = symmetric_numbers(size);
  LargestLists lists(size, k);
  for (int64_t i = 0; i < size; i += at_once)
    for (int64_t j = i; j < size; j += at_once) {
      const int64_t rows = std::min(at_once, size - i), columns = std::min(at_once, size - j);
      const auto block = block_of(all, size, i, rows, j, columns);
      lists.show(block.data(), i, rows, j, columns);
      if (i != j) lists.show_transposed(block.data(), i, rows, j, columns);
    }
  for (int64_t row = 0; row < size; ++row) {
    std::vector<int64_t> order(size);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
      return all[static_cast<size_t>(row * size + a)] > all[static_cast<size_t>(row * size + b)];
    });
    for (int64_t i = 0; i < k; ++i) {
      ASSERT_EQ(lists.columns()[static_cast<size_t>(row * k + i)], order[static_cast<size_t>(i)]) << row;
      ASSERT_EQ(lists.values()[static_cast<size_t>(row * k + i)], all[static_cast<size_t>(row * size + order[static_cast<size_t>(i)])]);
    }
  }
}

TEST(LargestLists, HaveNoColumnWhereTooFewWereShown_AndNoNaN) {
  LargestLists lists(2, 3);
  const std::vector<float> block = {1, NAN, 2, NAN, NAN, NAN};
  lists.show(block.data(), 0, 2, 5, 3);
  EXPECT_EQ(lists.columns(), (std::vector<int64_t>{7, 5, -1, -1, -1, -1}));
}

}  // namespace
}  // namespace tsrun
