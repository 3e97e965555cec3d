#pragma once

#include "tsrun/data/batch.h"

#include <cstdint>
#include <vector>

namespace tsrun::training {

/// Rows of one long text in `count` stretches of consecutive rows, side by side (truncated back-propagation through time): place s of batch
/// t has row t of stretch s, so that every place goes on where it ended in the batch before. The first stretches may be a row longer; the
/// last batch then has these alone.
class Streams {
 public:
  Streams(int64_t rows, int64_t count);
  int64_t batches() const { return (rows_ + count_ - 1) / count_; }
  std::vector<int64_t> batch(int64_t index) const;

 private:
  int64_t rows_, count_;
};

/// Whether some row goes on where the row before it ends.
bool has_continued_rows(const EncodedSplit& split);

}  // namespace tsrun::training
