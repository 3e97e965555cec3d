#pragma once

#include <span>

namespace tsrun {

/// Σ x_k² in float64, the same number for every kind of vectors.
double sum_of_squares(std::span<const float> x);

}  // namespace tsrun
