#pragma once

#include "train/masking.h"
#include "train/span_corruption.h"
#include "tsrun/model/model.h"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tsrun::training {

/// Lines as a model is pre-trained on them: with hidden words (masked_lm), each token with the next (causal_lm), or with hidden spans
/// (seq2seq_lm). What is hidden is drawn anew every epoch under the key.
class PretrainBatches {
 public:
  PretrainBatches(const Model& model, std::span<const std::string> lines, int64_t max_length, double share, Key key, at::Device device);
  int64_t rows() const { return static_cast<int64_t>(ids_.size()); }
  PackedBatch make(std::span<const int64_t> rows, int64_t epoch) const;

 private:
  EncodedSplit split_of(std::span<const int64_t> rows, int64_t epoch) const;

  const Family& family_;
  at::Device device_;
  std::vector<Encoding> ids_;
  std::optional<Masking> masking_;
  std::optional<SpanCorruption> spans_;
};

}  // namespace tsrun::training
