#include "tsrun/data/batch.h"

#include "tsrun/base/error.h"

#include <algorithm>
#include <numeric>

namespace tsrun {

namespace {

/// One more row of `ids` behind `offsets`.
void add_ids(std::vector<int64_t>& ids, std::vector<int64_t>& offsets, const std::vector<int64_t>& row) {
  if (offsets.empty()) offsets.push_back(0);
  ids.insert(ids.end(), row.begin(), row.end());
  offsets.push_back(static_cast<int64_t>(ids.size()));
}

}  // namespace

int64_t EncodedSplit::row_at(int64_t place, Key key) const {
  if (place < 0 || place >= epoch_size()) internal_error("place {} is outside an epoch of {} rows", place, epoch_size());
  if (alternatives.empty()) return place;
  const int64_t first = alternatives[static_cast<size_t>(place)], count = alternatives[static_cast<size_t>(place) + 1] - first;
  return count == 1 ? first : first + static_cast<int64_t>(Stream(key).below(static_cast<uint64_t>(count)));
}

PackedRows pack_batch(const EncodedSplit& split, std::span<const int64_t> rows) {
  PackedRows packed;
  packed.offsets.push_back(0);
  for (const int64_t row : rows) {
    if (row < 0 || row >= split.size()) internal_error("row {} is outside a split of {} rows", row, split.size());
    const auto at = static_cast<size_t>(row);
    const Encoding& encoding = split.rows[at];
    add_ids(packed.ids, packed.offsets, encoding.ids);
    packed.segments.insert(packed.segments.end(), encoding.segments.begin(), encoding.segments.end());
    packed.positions.resize(packed.ids.size());
    std::iota(packed.positions.end() - static_cast<ptrdiff_t>(encoding.ids.size()), packed.positions.end(), int64_t{0});
    if (!split.decoder_rows.empty()) add_ids(packed.decoder_ids, packed.decoder_offsets, split.decoder_rows[at]);
    if (!split.token_targets.empty())
      packed.token_targets.insert(packed.token_targets.end(), split.token_targets[at].begin(), split.token_targets[at].end());
    packed.targets.push_back(split.targets[at]);
    packed.row_numbers.push_back(row);
  }
  return packed;
}

Sampler::Sampler(Key key, int64_t rows, int64_t batch_size) : key_(key), rows_(rows), batch_size_(batch_size) {
  if (rows < 1 || batch_size < 1) internal_error("a sampler of {} rows in batches of {}, expected at least 1 of each", rows, batch_size);
}

int64_t Sampler::batches_per_epoch() const { return (rows_ - 1) / batch_size_ + 1; }

std::span<const int64_t> Sampler::batch(int64_t epoch, int64_t index) {
  if (epoch < 0 || index < 0 || index >= batches_per_epoch()) {
    internal_error("batch {} of epoch {}, expected one of {}", index, epoch, batches_per_epoch());
  }
  if (epoch != epoch_) {
    order_ = permutation(key_.split(static_cast<uint64_t>(epoch)), rows_);
    epoch_ = epoch;
  }
  const int64_t begin = index * batch_size_;
  const int64_t size = std::min(batch_size_, rows_ - begin);
  return std::span<const int64_t>(order_).subspan(static_cast<size_t>(begin), static_cast<size_t>(size));
}

}  // namespace tsrun
