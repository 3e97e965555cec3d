#pragma once

#include "tsrun/model/family.h"

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace tsrun {

/// How text is written. Names and meanings as in transformers' GenerationConfig.
struct GenerateOptions {
  int64_t max_new_tokens = 64;
  int64_t num_beams = 1;  ///< 1: greedy
  /// Beams are ranked by the sum of their log-probabilities over (new tokens, the end counted) to this power.
  double length_penalty = 1;
  bool early_stopping = false;   ///< a prompt is done when `num_beams` texts have ended, though a running one might still become better
  std::vector<int64_t> end_ids;  ///< each of them ends a text
  /// Another condition to stop, told the new tokens of one text so far. Empty: none.
  std::function<bool(std::span<const int64_t> written)> stop;
  ForwardOptions forward;  ///< precision and what methods do at sites; the rest is the generator's
};

struct Generated {
  std::vector<int64_t> ids;  ///< new tokens, without the end token and without a decoder's start token
  bool ended = false;        ///< by an end token or the stop condition, not by length
  double score = 0;          ///< with beams: what they are ranked by
};

/// Writes on from each of `prompts` (ids as the model reads them) with a key/value cache. A prompt's text does not depend on its
/// neighbours, up to rounding. No gradient. A causal model stops at its last position. @throws Error(user) for an empty prompt or one that
/// fills all positions; Error(internal) unless the model has a causal_lm or seq2seq_lm head.
std::vector<Generated> generate(const Family& family, const Weights& weights, const std::vector<std::vector<int64_t>>& prompts,
                                const GenerateOptions& options, at::Device device);

}  // namespace tsrun
