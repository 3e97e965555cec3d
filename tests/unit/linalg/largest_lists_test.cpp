#include "tsrun/linalg/largest_lists.h"

#include "tsrun/base/parallel.h"
#include "tsrun/base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tsrun {
namespace {

/// Few different numbers, so that there are ties.
std::vector<float> few_numbers(int64_t count) {
  std::vector<float> numbers(static_cast<size_t>(count));
  Stream stream(Key::root(3));
  for (float& number : numbers) number = static_cast<float>(stream.below(40));
  return numbers;
}

TEST(LargestLists, AreThoseOfASortedRow_WhateverTheOrderAndTheThreads) {
  constexpr int64_t rows = 3, size = 230, k = 7;
  const auto all = few_numbers(rows * size);
  for (const int64_t step : {1, 101, 229}) {  // without a common factor with `size`
    LargestLists lists(rows, k);
    parallel_for(size, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        for (int64_t row = 0; row < rows; ++row) lists.offer(row, i * step % size, all[static_cast<size_t>(row * size + i * step % size)]);
    });
    for (int64_t row = 0; row < rows; ++row) {
      std::vector<int64_t> order(size);
      std::iota(order.begin(), order.end(), 0);
      const float* of = all.data() + row * size;
      std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return of[a] > of[b]; });
      for (int64_t i = 0; i < k; ++i) {
        ASSERT_EQ(lists.columns()[static_cast<size_t>(row * k + i)], order[static_cast<size_t>(i)]) << row;
        ASSERT_EQ(lists.values()[static_cast<size_t>(row * k + i)], of[order[static_cast<size_t>(i)]]);
      }
    }
  }
}

TEST(LargestLists, HaveNoColumnWhereTooFewWereOffered_AndNoNaN) {
  LargestLists lists(2, 3);
  EXPECT_EQ(lists.offer(0, 5, 1), -INFINITY);
  lists.offer(0, 6, NAN);
  lists.offer(0, 7, 2);
  EXPECT_EQ(lists.offer(0, 8, -INFINITY), -INFINITY);
  EXPECT_EQ(lists.offer(0, 9, 1.5F), 1);
  EXPECT_EQ(lists.columns(), (std::vector<int64_t>{7, 9, 5, -1, -1, -1}));
}

}  // namespace
}  // namespace tsrun
