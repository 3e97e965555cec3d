#pragma once

#include <cstdint>

namespace tsrun::model {

/// out = x turned: of each head's `size` numbers, pairs (i, i + size / 2) by the angles whose cosines and sines [tokens, size] are given;
/// backwards with direction -1. x and out: [tokens, heads, size], rows of x `stride` apart.
void turn(const float* x, int64_t stride, const float* cosines, const float* sines, int64_t tokens, int64_t heads, int64_t size,
          float direction, float* out);

}  // namespace tsrun::model
