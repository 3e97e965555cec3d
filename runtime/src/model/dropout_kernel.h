#pragma once

#include "model/dropout_mask.h"

#include <cstdint>

namespace tsrun::model {

/// out[i] = x[i] * factor(position begin + i) for i in [begin, end) of flat arrays. `unit` is 0. `out` may be `x`.
void dropout_range(const DropoutMask& mask, const float* x, float* out, int64_t begin, int64_t end);

}  // namespace tsrun::model
