#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace tsrun {

/// The `k` largest elements of every row of a matrix, with their columns, whatever the order in which they are offered, from any number of
/// threads. Among equals the lower columns are kept, and stand first. NaN is never among the largest.
class LargestLists {
 public:
  /// @throws Error(internal) for k < 1
  LargestLists(int64_t rows, int64_t k);

  /// Offers an element that was not offered before. Returns the smallest of the row's `k` largest; -infinity while there are fewer.
  float offer(int64_t row, int64_t column, float value);

  int64_t k() const { return k_; }
  const std::vector<int64_t>& columns() const { return columns_; }  ///< [rows * k], the largest first; -1: fewer were offered
  const std::vector<float>& values() const { return values_; }      ///< [rows * k]; -infinity where there is no column

 private:
  static constexpr int64_t locks = 256;  ///< shared by rows of one remainder

  int64_t k_;
  std::vector<int64_t> columns_;
  std::vector<float> values_;
  std::unique_ptr<std::array<std::mutex, locks>> locks_;
};

}  // namespace tsrun
