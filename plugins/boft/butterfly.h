#pragma once

#include "tsrun/tune/delta.h"

#include <vector>

namespace tsrun::boft {

/// The shape of one layer's rotation: factors of `blocks` blocks of `size` features. Factor i permutes features within groups of 2^i
/// blocks, so that each block takes halves of blocks that factor i − 1 kept apart.
struct Butterfly {
  int64_t factors = 1, blocks = 0, size = 0;
  std::vector<at::Tensor> order, back;  ///< by factor: the permutation and its inverse, int64 [inputs]

  /// @throws Error(user) when the layer's inputs cannot be cut so
  static Butterfly of(const LinearModule& module, int64_t size, int64_t blocks, int64_t factors);
  /// W B₁ᵀ B₂ᵀ ⋯ for W [outputs, inputs], with B_i = P_i diag(R_i) P_iᵀ and R [factors, blocks, size, size].
  at::Tensor turned(const at::Tensor& weight, const at::Tensor& rotations) const;
};

/// (I − S)(I + S)⁻¹ of the skew-symmetric part S of every matrix [.., size, size], all in one call.
at::Tensor cayley(const at::Tensor& numbers);

}  // namespace tsrun::boft
