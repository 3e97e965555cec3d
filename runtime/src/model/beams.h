#pragma once

#include "tsrun/model/generate.h"

#include <cstdint>
#include <vector>

namespace tsrun::model {

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

}  // namespace tsrun::model
