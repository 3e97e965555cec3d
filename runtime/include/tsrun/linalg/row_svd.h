#pragma once

#include "tsrun/linalg/rows.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace tsrun {

/// The right singular vectors of W = M R, without forming W: V = Rᵀ C.
struct RowSvd {
  SmallMatrix coefficients;             ///< C: rows of R x directions kept
  std::vector<double> singular_values;  ///< all of W, descending
  int64_t rank = 0;                     ///< those above the drop ratio
};

/// Singular values come from M L with R = L Q (Q orthonormal), not from the Gram matrix of W: their relative error grows with the condition
/// number, not with its square, and V is orthonormal as far as the rows of R are independent, however ill conditioned W is.
///
/// `gram` is R Rᵀ; `last` the row of R that is the last difference (signs are chosen so that it has positive coordinates). Directions whose
/// singular value is below `drop_ratio` of the largest are dropped; at most `dim` are kept.
RowSvd right_singular_vectors(const SmallMatrix& gram, const SmallMatrix& m, int64_t last, std::optional<int64_t> dim, double drop_ratio);

}  // namespace tsrun
