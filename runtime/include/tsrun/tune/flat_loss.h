#pragma once

#include "tsrun/tune/subspace.h"

#include <cstdint>
#include <string>
#include <vector>

namespace tsrun {

/// The gradient of a task's loss on training rows, without dropout, as a function of a subspace's flat parameters; all other weights stay
/// what the inputs say. For methods with `needs_probe()`.
class FlatLoss {
 public:
  /// @throws Error(user) "`who`: …" when the inputs have no probe. `inputs` must outlive the object.
  FlatLoss(const SubspaceInputs& inputs, const std::string& who);
  /// `count` rows of the training split without repetition, drawn by `key`; all of them where there are no more.
  std::vector<int64_t> drawn_rows(Key key, int64_t count) const;
  /// Mean over `rows` of the gradients at `theta`, float32 [total] in host memory, `row_batch` rows a backward pass.
  at::Tensor gradient(const at::Tensor& theta, std::span<const int64_t> rows, int64_t row_batch) const;

 private:
  const SubspaceInputs& inputs_;
};

}  // namespace tsrun
