#pragma once

#include <ATen/core/Tensor.h>

namespace tsrun::layer_scores {

/// Signal over noise of the singular values of `matrix`, divided by the largest. Signal and noise are the sums above, and up to, the edge
/// σ (1 + √β) of Marchenko and Pastur, with σ = IQR / 1.349 of the singular values and β the shorter over the longer side.
double spectral_score(const at::Tensor& matrix);

}  // namespace tsrun::layer_scores
