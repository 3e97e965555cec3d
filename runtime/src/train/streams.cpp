#include "train/streams.h"

#include "tsrun/base/error.h"

#include <algorithm>

namespace tsrun::training {

Streams::Streams(int64_t rows, int64_t count) : rows_(rows), count_(count) {
  if (rows < 1 || count < 1) internal_error("{} rows in {} streams, expected at least 1 of each", rows, count);
}

std::vector<int64_t> Streams::batch(int64_t index) const {
  if (index < 0 || index >= batches()) internal_error("batch {} of streams of {} rows", index, batches());
  const int64_t length = rows_ / count_, longer = rows_ % count_;
  std::vector<int64_t> batch;
  for (int64_t stream = 0; stream < (index < length ? count_ : longer); ++stream)
    batch.push_back(stream * length + std::min(stream, longer) + index);
  return batch;
}

bool has_continued_rows(const EncodedSplit& split) {
  return std::find(split.continues.begin(), split.continues.end(), true) != split.continues.end();
}

}  // namespace tsrun::training
