#include "tsrun/data/batch.h"

#include "tsrun/base/error.h"

#include <algorithm>
#include <numeric>

namespace tsrun {

EncodedSplit encode_split(const Split& split, const Tokenizer& tokenizer, int64_t max_length) {
  std::vector<std::string> alone, first, second;
  for (const Example& example : split.examples) {
    (example.second ? first : alone).push_back(example.first);
    if (example.second) second.push_back(*example.second);
  }
  std::vector<Encoding> singles = encode_batch(tokenizer, alone, {}, max_length),
                        pairs = encode_batch(tokenizer, first, second, max_length);
  auto single = singles.begin(), pair = pairs.begin();
  EncodedSplit encoded;
  for (const Example& example : split.examples) {
    encoded.rows.push_back(std::move(example.second ? *pair++ : *single++));
    encoded.targets.push_back(example.target);
  }
  return encoded;
}

PackedRows pack(const EncodedSplit& split, std::span<const int64_t> rows) {
  PackedRows packed;
  packed.offsets.push_back(0);
  for (const int64_t row : rows) {
    if (row < 0 || row >= split.size()) internal_error("row {} is outside a split of {} rows", row, split.size());
    const Encoding& encoding = split.rows[static_cast<size_t>(row)];
    packed.ids.insert(packed.ids.end(), encoding.ids.begin(), encoding.ids.end());
    packed.segments.insert(packed.segments.end(), encoding.segments.begin(), encoding.segments.end());
    packed.positions.resize(packed.ids.size());
    std::iota(packed.positions.begin() + packed.offsets.back(), packed.positions.end(), int64_t{0});
    packed.offsets.push_back(packed.tokens());
    packed.targets.push_back(split.targets[static_cast<size_t>(row)]);
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
