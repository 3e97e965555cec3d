#pragma once

#include "tsrun/model/generate.h"

#include <span>

namespace tsrun {

/// The rules of ScoreOptions for one model.
class ScoreRules {
 public:
  explicit ScoreRules(const GenerateOptions& options);
  bool any() const { return any_; }

  /// What stands before the token that is scored. `history` begins with the prompt (an encoder-decoder's with its start token).
  struct Place {
    std::span<const int64_t> history;
    size_t given = 0;   ///< of it, tokens that were not written
    bool last = false;  ///< no other token fits behind this one
  };
  void apply(std::span<float> scores, const Place& place) const;

 private:
  void hold_length(std::span<float> scores, const Place& place) const;
  void force(std::span<float> scores, const Place& place) const;
  void suppress(std::span<float> scores, const Place& place) const;

  const GenerateOptions* options_;
  bool any_ = false;
};

}  // namespace tsrun
