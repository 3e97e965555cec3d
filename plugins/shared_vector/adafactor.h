#pragma once

#include <cstdint>
#include <span>

/// Adafactor (Shazeer and Stern, 2018) as transformers has it, with the learning rate from outside, for numbers whose gradients are made
/// one tensor at a time: the runtime's own optimiser wants all gradients at once, and a matrix's as a matrix.
namespace tsrun::shared_vector {

inline constexpr int64_t grain = 1 << 14;  ///< numbers that a thread takes at least

/// What all tensors of one step share.
struct Adafactor {
  double lr = 0;
  double kept = 0;  ///< share of the means of squares that stays
  double clip_threshold = 1, epsilon = 1e-30;
  static Adafactor at_step(int64_t step, double lr);  ///< steps count from 1: kept = 1 − step^−0.8
};

/// squares ← kept squares + (1 − kept)(g² + ε); u = g / √squares; value ← value − lr u / max(1, rms(u) / threshold). `gradient` becomes u.
void update_vector(const Adafactor& rule, std::span<float> value, std::span<float> gradient, std::span<float> squares);

/// A matrix [a.size(), b.size()], row by row, whose gradient is a bᵀ. The means of its squares over rows and over columns, and the update
/// itself, are then made of one vector for each side, so that the matrix is read and written once and no other is formed.
void update_outer(const Adafactor& rule, std::span<float> value, std::span<const float> a, std::span<const float> b,
                  std::span<float> row_squares, std::span<float> column_squares);

}  // namespace tsrun::shared_vector
