#pragma once

#include <ATen/core/Tensor.h>

namespace tsrun::adaptive_gradient_gating {

/// Gates on the part of a word vector's gradient that comes from positions with another target.
struct Gates {
  at::Tensor rare;  ///< bool [vocabulary]
  at::Tensor
      by_target;  ///< float32 [2, vocabulary], in [0, 1]: at positions whose target is no rare word, and at those whose target is one
};

/// Of words' `counts` (int64 [vocabulary]) as targets in `steps` steps. Rare are words with fewer than `alpha` a step, of the ids from
/// `spared` on. A rare word's gate at positions of other words is its count a step; at positions of rare words, its count over the mean
/// count of rare words, 1 at most. All other gates are 1.
Gates gates_of(const at::Tensor& counts, int64_t steps, double alpha, int64_t spared);

/// `scores` [positions, vocabulary], whose value is read · weightᵀ. In backward `read` [positions, width] has its gradient as ever, and
/// row i of `weight` Σ_t g_ti ∂L/∂scores_ti read_t with the gate g of word i at position t's target, 1 if that is i itself.
/// `targets` int64 [positions], negative where there is none.
at::Tensor gated_scores(const at::Tensor& scores, const at::Tensor& read, const at::Tensor& weight, const at::Tensor& targets,
                        const Gates& gates);

}  // namespace tsrun::adaptive_gradient_gating
