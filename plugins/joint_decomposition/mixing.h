#pragma once

#include "tsrun/base/random.h"

#include <string>
#include <vector>

namespace tsrun::joint_decomposition {

enum class Mixing { release, dirichlet, none };

/// Weights of the members' codes in one mixture; they sum to 1.
///
/// `release` breaks a stick as the authors' code does for three: w1 ~ U(0, 1), w2 ~ U(0, 1 − w1), the last takes the rest (means 1/2, 1/4,
/// 1/4). `dirichlet` is uniform on the simplex. `none` has no mixture: every member sees its own code.
std::vector<double> draw_mixture(Mixing distribution, size_t members, Key key);

Mixing mixing_named(const std::string& name);

}  // namespace tsrun::joint_decomposition
