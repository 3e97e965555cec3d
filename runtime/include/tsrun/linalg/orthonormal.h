#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tsrun {

/// Rounding to float32 leaves combinations that are orthonormal in float64 so to about 1e-7. More means that float64 was not enough.
constexpr double tolerated_orthonormality_error = 1e-6;

/// Directions that were formed as combinations: left as they are to the bit where max |V Vᵀ − I| is within `tolerated`, else
/// orthonormalised in place (`orthonormalise`). `rows`: any number of float32 rows of one length; internal error for other lengths. One
/// read where nothing is to be repaired. Returns the indices of rows that depend on those before them, which are zero now.
std::vector<int64_t> repair_orthonormality(const std::vector<std::span<float>>& rows, double tolerated = tolerated_orthonormality_error);

}  // namespace tsrun
