#pragma once

#include "tsrun/model/generate.h"

#include <span>

namespace tsrun::model {

/// The rules of ScoreOptions for one model.
class ScoreRules {
 public:
  explicit ScoreRules(const GenerateOptions& options);
  bool any() const { return any_; }

  /// Tokens before the scored one. `history` begins with the prompt (of an encoder-decoder: the start token).
  struct Place {
    std::span<const int64_t> history;
    size_t given = 0;   ///< tokens of the prompt in it
    bool last = false;  ///< the scored token is the last that fits
  };
  void apply(std::span<float> scores, const Place& place) const;

 private:
  void hold_length(std::span<float> scores, const Place& place) const;
  void force(std::span<float> scores, const Place& place) const;
  void suppress(std::span<float> scores, const Place& place) const;

  const GenerateOptions* options_;
  bool any_ = false;
};

}  // namespace tsrun::model
