#pragma once

#include <cstdint>

namespace tsrun::training {

/// Passes of micro-batches through the model.
struct Passes {
  int64_t forward = 0, backward = 0;
  /// A backward pass counts as two forward passes, which is what its products take.
  int64_t in_forward_passes() const { return forward + 2 * backward; }
  Passes& operator+=(const Passes& other) {
    forward += other.forward, backward += other.backward;
    return *this;
  }
};

}  // namespace tsrun::training
