#pragma once

#include <span>

/// Numbers of which some are marked, as gradients under a mask. One pass each; sums depend on no number of threads.
namespace tsrun {

/// Sets marked numbers to zero, and says whether one of them was none: NaN is not zero, -0 is.
bool zero_marked(std::span<float> numbers, const bool* marks);

/// out = target + factor (numbers - target) where marked, and target elsewhere; without marks: everywhere. On one thread.
void mix_marked(std::span<const float> numbers, const float* target, const bool* marks, float factor, float* out);

struct SquaredChange {
  double marked = 0, others = 0;
};
/// Σ (after - before)² over marked numbers and over the others: differences and squares in float32, sums in float64.
SquaredChange squared_change(std::span<const float> before, std::span<const float> after, const bool* marks);

}  // namespace tsrun
