#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace tsrun::salf {

/// One direction for every label in the space that the head's label matrix A [labels, width] reads (logits z = h Aᵀ).
class LabelBasis {
 public:
  /// Rows of S = (Aᵀ)⁺, the states whose logits are nearest to one-hot vectors (VDS, arXiv 2401.16184, section 3): A (AᵀA)⁺, or (AAᵀ)⁺ A
  /// where labels are fewer than features. In float64, over chunks of labels; directions of the Gram matrix whose eigenvalue is at most
  /// `rcond` times the largest are dropped, so rows of zeros and lost rank do no harm.
  static LabelBasis pseudo_inverse(const at::Tensor& matrix, double rcond);
  /// The rows of `matrix` themselves.
  static LabelBasis of_rows(const at::Tensor& matrix);

  /// Vectors of these labels (int64), float64 [count, width]; not normalised.
  at::Tensor vectors(const at::Tensor& labels) const;
  int64_t labels() const { return matrix_.size(0); }
  int64_t rank() const { return rank_; }  ///< kept directions

 private:
  at::Tensor matrix_;  ///< [labels, width]
  at::Tensor factor_;  ///< float64 [width, width] behind `matrix_`; undefined: none
  int64_t rank_ = 0;
};

/// Rows at unit length; rows of zeros stay.
at::Tensor unit_rows(const at::Tensor& x);

}  // namespace tsrun::salf
