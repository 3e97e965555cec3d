#pragma once

#include "tsrun/model/generate.h"

#include <optional>

namespace tsrun {

/// Incremental decoding of a batch: scores of the next token, given the tokens chosen so far.
class Writer {
 public:
  /// Reserves room for `new_tokens` in every row.
  Writer(const Family& family, const Weights& weights, const std::vector<std::vector<int64_t>>& prompts, int64_t new_tokens,
         const GenerateOptions& options, at::Device device);

  /// Scores [rows, vocabulary] after the prompts. @throws Error(run) for scores that are not finite, naming the weight to blame
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

/// One prompt's beam search, step by step, with the choices of transformers' `beam_search`.
class Beams {
 public:
  explicit Beams(const GenerateOptions& options) : options_(&options) {}

  bool open() const { return open_; }
  int64_t running() const { return static_cast<int64_t>(running_.size()); }
  const std::vector<int64_t>& written(int64_t beam) const { return running_[static_cast<size_t>(beam)].ids; }
  struct Step {
    std::vector<int64_t> parents, ids;  ///< running beam and next token of each surviving beam
  };
  /// `log_probabilities` [running, vocabulary], float32 on the CPU. `last`: no token may follow this one.
  Step advance(const at::Tensor& log_probabilities, bool last);
  Generated best() const;

 private:
  struct Text {
    std::vector<int64_t> ids;
    float score = 0;
    bool ended = false;  ///< by an end token, not by length
  };
  bool ends(const std::vector<int64_t>& ids, int64_t next) const;
  void finish(Text text);
  void decide();
  float penalised(float sum, size_t length) const;

  const GenerateOptions* options_;
  std::vector<Text> running_{1}, done_;  ///< done: best first
  bool open_ = true;
};

}  // namespace tsrun
