#pragma once

#include <span>

namespace tsrun {

/// x ← H x with the Walsh-Hadamard matrix H(i, j) = (−1)^popcount(i & j), in place and without a factor, so that H is its own transpose and
/// H H x = n x. n log2 n additions; for long vectors about one read and write of x for every 8 of the log2 n levels. Sums are paired in a
/// fixed way, so the bits depend neither on the number of threads nor on the processor.
/// Internal error when the length is not a power of two.
void hadamard(std::span<float> x);

}  // namespace tsrun
