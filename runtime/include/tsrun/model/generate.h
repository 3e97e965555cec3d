#pragma once

#include "tsrun/model/family.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace tsrun {

/// A text that is made likelier, or forbidden (minus infinity), where it would be completed.
struct SequenceBias {
  std::vector<int64_t> ids;
  float bias = 0;
};

/// What is done to the scores of the next token, in the order in which transformers does it: logits when greedy, log-probabilities of
/// beams.
struct ScoreOptions {
  std::vector<SequenceBias> sequence_bias;
  double repetition_penalty = 1;
  int64_t no_repeat_ngram_size = 0;  ///< 0: off
  std::vector<SequenceBias> bad_words;
  int64_t min_new_tokens = 0, min_length = 0;  ///< no end before; `min_length` counts as `max_length` does
  std::optional<int64_t> forced_begin;         ///< the token behind a single one
  std::vector<int64_t> forced_end;             ///< one of these is the last that fits
  std::vector<int64_t> suppressed, suppressed_first;
};

/// How text is written. Names and meanings as in transformers' GenerationConfig.
struct GenerateOptions {
  int64_t max_new_tokens = 64;
  int64_t max_length = 0;  ///< instead of it: tokens of the prompt (of an encoder-decoder: its start token) and the text; 0: not given
  int64_t num_beams = 1;   ///< 1: greedy
  /// Beams are ranked by the sum of their log-probabilities over (new tokens, the end counted) to this power.
  double length_penalty = 1;
  bool early_stopping = false;   ///< a prompt is done when `num_beams` texts have ended, though a running one might still become better
  std::vector<int64_t> end_ids;  ///< each of them ends a text
  std::optional<int64_t> decoder_start;  ///< of an encoder-decoder; absent: as its config.json says
  std::optional<int64_t> begin_id;       ///< stands for an empty prompt of a causal model
  ScoreOptions scores;
  /// Another condition to stop, told the new tokens of one text so far. Empty: none.
  std::function<bool(std::span<const int64_t> written)> stop;
  ForwardOptions forward;  ///< precision and what methods do at sites; the rest is the generator's
};

struct Generated {
  std::vector<int64_t> ids;  ///< new tokens, the end token included where one was written, without a decoder's start token
  bool ended = false;        ///< by an end token or the stop condition, not by length
  double score = 0;          ///< with beams: what they are ranked by
};

/// Writes on from each of `prompts` (ids as the model reads them) with a key/value cache. A prompt's text does not depend on its
/// neighbours, up to rounding. No gradient. A causal model stops at its last position. @throws Error(user) for an empty prompt or one that
/// fills all positions; Error(internal) unless the model has a causal_lm or seq2seq_lm head.
std::vector<Generated> generate(const Family& family, const Weights& weights, const std::vector<std::vector<int64_t>>& prompts,
                                const GenerateOptions& options, at::Device device);

}  // namespace tsrun
