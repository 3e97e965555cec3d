#pragma once

#include <cstdint>
#include <vector>

namespace tsrun::linalg {

/// Rows of length 1 or 0 as whole numbers of 16 bits, x ≈ q / scale: |q| < 2^15, and sums of products fit 32 bits.
class RoundedUnits {
 public:
  static constexpr double scale = 32000;
  static constexpr int32_t largest = 1 << 30;  ///< all |q_i · q_j| are smaller
  static constexpr int64_t tile = 96;          ///< rows are filled up with zeros to a multiple, which the rows of all tiles divide

  /// `panel` divides `tile`: rows that lie together in `panels`.
  RoundedUnits(const float* rows, int64_t count, int64_t width, int64_t panel);

  int64_t rows() const { return rows_; }    ///< with those filled up
  int64_t pairs() const { return pairs_; }  ///< words of a row, of two numbers each
  const int32_t* row(int64_t i) const { return words_.data() + i * pairs_; }
  const int32_t* panel(int64_t first) const { return panels_.data() + first * pairs_; }  ///< [pairs][panel], from row `first`
  bool finite(int64_t i) const { return finite_[static_cast<size_t>(i)] != 0; }          ///< without NaN or infinity; false for filled rows
  bool zero(int64_t i) const { return zero_[static_cast<size_t>(i)] != 0; }

  /// A whole number, -largest or more, that q_i · q_j exceeds where the float32 product of rows i and j reaches `value`.
  int32_t below(float value) const;

 private:
  void round_row(const float* from, int64_t width, int64_t i, double& length, double& error);
  void pack(int64_t panel);

  int64_t rows_ = 0, pairs_ = 0;
  std::vector<int32_t> words_, panels_;
  std::vector<uint8_t> finite_, zero_;
  double margin_ = 0;
};

}  // namespace tsrun::linalg
