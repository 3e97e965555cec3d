#pragma once

#include "tsrun/linalg/rows.h"

#include <string>
#include <vector>

namespace tsrun::trajectory_svd {

/// Which matrix W is decomposed. Every variant is W = M R, where R has the origin θ0 as its first row and the differences θ_i − θ_0 below,
/// so only the small matrix M differs.
///   raw          rows θ_1 … θ_T, not centred: the letter of Zhang, Liu, Shao (ACL 2023), equation 2
///   raw+origin   the same with θ_0 as one more row
///   centred      θ_i less the mean of θ_1 … θ_T; its rank is T − 1
///   delta        θ_i − θ_0
///   increment    θ_i − θ_(i−1)
const std::vector<std::string>& variant_names();

/// M for a trajectory of `points` points: one column for θ0, then one for each difference.
SmallMatrix variant_matrix(const std::string& variant, int64_t points);

/// Whether M's first column is used.
bool uses_origin(const std::string& variant);

}  // namespace tsrun::trajectory_svd
