#pragma once

#include <cstdint>

namespace tsrun {

/// How a dropout site draws: its key, and the law.
struct DropoutLaw {
  uint32_t key_low = 0, key_high = 0;
  uint32_t threshold = 0;  ///< p * 65536; 0: nothing is dropped
  float scale = 1;         ///< of what is kept
};

/// Positions that the generator draws together (philox.h).
constexpr int64_t mask_group = 128;

}  // namespace tsrun
