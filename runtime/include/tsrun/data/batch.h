#pragma once

#include "tsrun/base/random.h"
#include "tsrun/data/task.h"
#include "tsrun/text/tokenizer.h"

#include <cstdint>
#include <span>
#include <vector>

namespace tsrun {

/// Rows of a split as ids, ready to be packed. Built once per (task, split, tokenizer, max_length).
struct EncodedSplit {
  std::vector<Encoding> rows;
  std::vector<double> targets;
  int64_t size() const { return static_cast<int64_t>(rows.size()); }
};
EncodedSplit encode_split(const Split& split, const Tokenizer& tokenizer, int64_t max_length);

/// Sequences end to end without padding. Row r occupies tokens [offsets[r], offsets[r+1]).
struct PackedRows {
  std::vector<int64_t> ids, segments, positions;  ///< one entry a token; positions restart at 0 in every row
  std::vector<int64_t> offsets;                   ///< rows + 1 entries, offsets[0] = 0
  std::vector<double> targets;                    ///< one entry a row
  std::vector<int64_t> row_numbers;               ///< 0-based rows of the split
  int64_t rows() const { return static_cast<int64_t>(offsets.size()) - 1; }
  int64_t tokens() const { return static_cast<int64_t>(ids.size()); }
};
PackedRows pack(const EncodedSplit& split, std::span<const int64_t> rows);

/// The order of rows, epoch by epoch: a permutation keyed by (key, epoch), cut into batches; the last batch may be smaller.
class Sampler {
 public:
  Sampler(Key key, int64_t rows, int64_t batch_size);
  int64_t batches_per_epoch() const;
  /// Row numbers of batch `index` of `epoch` (both from 0). Stateless apart from a cached permutation.
  std::span<const int64_t> batch(int64_t epoch, int64_t index);

 private:
  Key key_;
  int64_t rows_, batch_size_, epoch_ = -1;
  std::vector<int64_t> order_;
};

}  // namespace tsrun
