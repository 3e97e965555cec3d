#pragma once

#include "tsrun/model/family.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace tsrun {

/// Bias added to the score of the token that would complete `ids`; minus infinity forbids it.
struct SequenceBias {
  std::vector<int64_t> ids;
  float bias = 0;
};

/// Processors of the next token's scores, in the order of transformers: logits in greedy search, log-probabilities in beam search.
struct ScoreOptions {
  std::vector<SequenceBias> sequence_bias;
  double repetition_penalty = 1;
  int64_t no_repeat_ngram_size = 0;  ///< 0: off
  std::vector<SequenceBias> bad_words;
  int64_t min_new_tokens = 0, min_length = 0;  ///< no end token before; `min_length` counts as `max_length` does
  std::optional<int64_t> forced_begin;         ///< token behind a single start token
  std::vector<int64_t> forced_end;             ///< allowed as the last token that fits
  std::vector<int64_t> suppressed, suppressed_first;
};

/// Sampling of tokens in place of the likeliest one. Scores are divided by `temperature`, then cut to the `top_k` likeliest tokens, then to
/// the fewest of these that have `top_p` of the probability: transformers' order. Token k of prompt i is drawn under key.split(i).split(k).
struct Sampling {
  Key key = Key::root(1);
  double temperature = 1;
  int64_t top_k = 0;  ///< 0: all
  double top_p = 1;
};

/// Options of decoding. Names and meanings as in transformers' GenerationConfig.
struct GenerateOptions {
  int64_t max_new_tokens = 64;
  int64_t max_length = 0;  ///< in its place: tokens of prompt (of an encoder-decoder: start token) and text; 0: not given
  int64_t num_beams = 1;   ///< 1: greedy, or sampled
  std::optional<Sampling> sampling = {};
  /// Beams are ranked by the sum of their log-probabilities over (new tokens, the end counted) to this power.
  double length_penalty = 1;
  bool early_stopping = false;           ///< stop once `num_beams` texts have ended, even if a running one could still score higher
  std::vector<int64_t> end_ids;          ///< end tokens
  std::optional<int64_t> decoder_start;  ///< of an encoder-decoder; absent: as its config.json says
  std::optional<int64_t> begin_id;       ///< replaces an empty prompt of a causal model
  ScoreOptions scores;
  /// Further stop condition over the new tokens of one text. Empty: none.
  std::function<bool(std::span<const int64_t> written)> stop;
  ForwardOptions forward;  ///< precision, hooks and prefixes; the generator sets the rest
};

struct Generated {
  std::vector<int64_t> ids;  ///< new tokens with the end token, if any, without a decoder's start token
  bool ended = false;        ///< by an end token or the stop condition, not by length
  double score = 0;          ///< of beam search: length-penalised log-probability
};

/// Generates a continuation of each of `prompts` (token ids) with a key/value cache. A continuation does not depend on the other prompts,
/// up to rounding. No gradient. A causal model stops at its last position. @throws Error(user) for an empty prompt or one that fills all
/// positions; Error(internal) unless the model has a causal_lm or seq2seq_lm head.
std::vector<Generated> generate(const Family& family, const Weights& weights, const std::vector<std::vector<int64_t>>& prompts,
                                const GenerateOptions& options, at::Device device);

}  // namespace tsrun
