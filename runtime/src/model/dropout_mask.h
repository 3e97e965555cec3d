#pragma once

#include <cstdint>

namespace tsrun::model {

/// A dropout mask by its key and rate; philox.h draws its elements.
struct DropoutMask {
  uint32_t key_low = 0, key_high = 0;
  uint32_t threshold = 0;  ///< p * 65536; 0: nothing is dropped
  float scale = 1;         ///< of kept elements
};

/// Positions drawn together (philox.h).
constexpr int64_t mask_group = 128;

}  // namespace tsrun::model
