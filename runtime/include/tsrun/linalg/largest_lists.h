#pragma once

#include <cstdint>
#include <vector>

namespace tsrun {

/// The `k` largest elements of every row of a matrix that is shown block by block, with their columns. Among equals the one shown earlier
/// wins: of lower columns, when blocks and rows are shown in ascending order. NaN is never among the largest.
class LargestLists {
 public:
  LargestLists(int64_t rows, int64_t k);

  /// A block of `rows` x `columns` numbers, row-major without gaps, whose first element is that of (`row`, `column`). Rows go to threads.
  void show(const float* block, int64_t row, int64_t rows, int64_t column, int64_t columns);
  /// The same numbers as elements of the transpose: the first is that of (`column`, `row`), the second that of (`column` + 1, `row`).
  void show_transposed(const float* block, int64_t row, int64_t rows, int64_t column, int64_t columns);

  int64_t k() const { return k_; }
  const std::vector<int64_t>& columns() const { return columns_; }  ///< [rows * k], the largest first; -1: fewer were shown
  const std::vector<float>& values() const { return values_; }      ///< [rows * k]; -infinity where there is no column

 private:
  void insert(int64_t row, int64_t column, float value);

  int64_t k_;
  std::vector<int64_t> columns_;
  std::vector<float> values_, least_;  ///< least_: the smallest that each row keeps
};

}  // namespace tsrun
