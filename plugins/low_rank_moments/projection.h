#pragma once

#include "tsrun/base/random.h"

#include <ATen/core/Tensor.h>

#include <string>

/// Gradients G [m, n] in r dimensions of one side.
namespace tsrun::low_rank_moments {

enum class Side { left, right };

/// The side that `proj_type` projects of a gradient of this shape; of a square one std is the right.
Side side_of(const std::string& proj_type, const at::Tensor& gradient);

/// The first `rank` singular vectors of that side, as columns: by eigenvectors of the shorter side's Gram matrix, in float64.
/// Their signs, which moments kept from another projection see, are those of their largest entries.
at::Tensor leading_vectors(const at::Tensor& gradient, Side side, int64_t rank);

/// [width, rank] of N(0, 1 / rank): squared lengths stay what they are on average.
at::Tensor random_vectors(int64_t width, int64_t rank, Key key, at::Device device);

at::Tensor projected(const at::Tensor& gradient, const at::Tensor& vectors, Side side);  ///< [rank, n] or [m, rank]
at::Tensor lifted(const at::Tensor& low, const at::Tensor& vectors, Side side);          ///< back to [m, n]

}  // namespace tsrun::low_rank_moments
