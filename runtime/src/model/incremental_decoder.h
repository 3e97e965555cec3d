#pragma once

#include "tsrun/model/generate.h"

#include <optional>

namespace tsrun::model {

/// Incremental decoding of a batch: scores of the next token, given the tokens chosen so far.
class IncrementalDecoder {
 public:
  /// Reserves room for `new_tokens` in every row.
  IncrementalDecoder(const Family& family, const Weights& weights, const std::vector<std::vector<int64_t>>& prompts, int64_t new_tokens,
                     const GenerateOptions& options, at::Device device);

  /// Scores [rows, vocabulary] after the prompts. @throws NotFinite naming the weight to blame
  at::Tensor begin();
  at::Tensor next(const std::vector<int64_t>& ids);                       ///< after one more token in every row
  void select(const std::vector<int64_t>& rows) { cache_.select(rows); }  ///< as DecodingCache::select

 private:
  at::Tensor read(const PackedBatch& batch) const;

  const Family& family_;
  const Weights& weights_;
  const std::vector<std::vector<int64_t>>& prompts_;
  int64_t decoder_start_;
  ForwardOptions forward_;
  at::Device device_;
  DecodingCache cache_;
};

}  // namespace tsrun::model
