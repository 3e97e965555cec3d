#pragma once

#include "tsrun/base/operators.h"

#include <algorithm>

namespace tsrun::geometry {

/// Calls `take(block, begin)` with the rows in float64 without their mean, block by block. Blocks are several times taller than wide, so
/// that stacking triangles on them costs little.
template <class Take>
void for_row_blocks(const at::Tensor& rows, const at::Tensor& mean, const Take& take) {
  const int64_t height = std::max<int64_t>(4096, 4 * rows.size(1));
  for (int64_t begin = 0; begin < rows.size(0); begin += height) {
    at::Tensor block = rows.narrow(0, begin, std::min(height, rows.size(0) - begin)).to(at::kDouble);
    if (mean.defined()) block = block - mean;
    take(block, begin);
  }
}

}  // namespace tsrun::geometry
