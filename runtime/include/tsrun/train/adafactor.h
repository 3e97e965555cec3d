#pragma once

#include "tsrun/linalg/long_rows.h"
#include "tsrun/train/optimizer.h"

#include <cstdint>
#include <span>
#include <vector>

/// `make_adafactor`'s rule (Shazeer and Stern, 2018) for numbers whose gradients are made one tensor at a time, and for matrices whose
/// gradients are never formed.
namespace tsrun {

/// Settings of one step, for all tensors.
struct AdafactorRule {
  /// Of the `step`-th step, from 1.
  AdafactorRule(int64_t step, double lr, const AdafactorOptions& options = {});
  double lr, kept;  ///< learning rate; share of the means of squares that stays
  double clip_threshold, eps1;
};

/// squares ← kept squares + (1 − kept)(g² + ε); u = g / √squares; value ← value − lr u / max(1, rms(u) / threshold). `gradient` becomes u.
void adafactor_vector(const AdafactorRule& rule, std::span<float> value, std::span<float> gradient, std::span<float> squares);

/// A matrix [d, N] whose gradient is a sum of K outer products, Σ_k b_k ⊗ a_k with b_k row k of `narrow` [K, d] and a_k `wide`[k] of N
/// numbers. All that the rule needs of it follows from K × K products: the mean square of column i is a_iᵀ (B Bᵀ) a_i / d, that of row j is
/// b_jᵀ (A Aᵀ) b_j / N, and the root mean square of the update is another such form. `row_squares` [d] and `column_squares` [N] are the
/// running means. Returns ⟨row j, a_k⟩ of the matrix before the step, [K, d]. Reads and writes the matrix once.
SmallMatrix adafactor_outer(const AdafactorRule& rule, const LongRows& matrix, std::span<float> row_squares,
                            std::span<float> column_squares, const std::vector<const float*>& wide, const SmallMatrix& narrow);

}  // namespace tsrun
