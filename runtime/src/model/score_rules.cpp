#include "model/score_rules.h"

#include <algorithm>
#include <limits>
#include <set>

namespace tsrun::model {
namespace {

constexpr float forbidden = -std::numeric_limits<float>::infinity();

void forbid(std::span<float> scores, std::span<const int64_t> ids) {
  for (const int64_t id : ids) {
    if (id >= 0 && id < static_cast<int64_t>(scores.size())) scores[static_cast<size_t>(id)] = forbidden;
  }
}

void only_these(std::span<float> scores, std::span<const int64_t> ids) {
  std::fill(scores.begin(), scores.end(), forbidden);
  for (const int64_t id : ids) {
    if (id >= 0 && id < static_cast<int64_t>(scores.size())) scores[static_cast<size_t>(id)] = 0;
  }
}

/// Keskar et al. (2019), section 4.1, with the sign of the score minded.
void penalise_repetition(std::span<float> scores, std::span<const int64_t> history, double penalty) {
  if (penalty == 1) return;
  for (const int64_t id : std::set<int64_t>(history.begin(), history.end())) {
    if (id < 0 || id >= static_cast<int64_t>(scores.size())) continue;
    float& score = scores[static_cast<size_t>(id)];
    score = score < 0 ? score * static_cast<float>(penalty) : score / static_cast<float>(penalty);
  }
}

void forbid_repeated_ngrams(std::span<float> scores, std::span<const int64_t> history, int64_t size) {
  const auto n = static_cast<size_t>(size);
  if (size == 0 || history.size() < n) return;
  const auto end = history.last(n - 1);
  for (size_t first = 0; first + n <= history.size(); ++first) {
    if (std::equal(end.begin(), end.end(), history.begin() + static_cast<ptrdiff_t>(first)))
      forbid(scores, history.subspan(first + n - 1, 1));
  }
}

void add_biases(std::span<float> scores, std::span<const int64_t> history, const std::vector<SequenceBias>& biases) {
  for (const SequenceBias& bias : biases) {
    const size_t before = bias.ids.size() - 1;
    if (before > history.size() || !std::equal(bias.ids.begin(), bias.ids.end() - 1, history.end() - static_cast<ptrdiff_t>(before)))
      continue;
    const int64_t id = bias.ids.back();
    if (id < static_cast<int64_t>(scores.size())) scores[static_cast<size_t>(id)] += bias.bias;
  }
}

}  // namespace

ScoreRules::ScoreRules(const GenerateOptions& options) : options_(&options) {
  const ScoreOptions& o = options.scores;
  const bool lengths = (o.min_new_tokens > 0 || o.min_length > 0) && !options.end_ids.empty();
  any_ = lengths || !o.sequence_bias.empty() || o.repetition_penalty != 1 || o.no_repeat_ngram_size > 0 || !o.bad_words.empty() ||
         o.forced_begin || !o.forced_end.empty() || !o.suppressed.empty() || !o.suppressed_first.empty();
}

void ScoreRules::hold_length(std::span<float> scores, const Place& place) const {
  const auto all = static_cast<int64_t>(place.history.size()), written = all - static_cast<int64_t>(place.given);
  const ScoreOptions& o = options_->scores;
  if (written < o.min_new_tokens || (o.min_new_tokens == 0 && all < o.min_length)) forbid(scores, options_->end_ids);
}

void ScoreRules::force(std::span<float> scores, const Place& place) const {
  const ScoreOptions& o = options_->scores;
  if (o.forced_begin && place.history.size() == 1) only_these(scores, {&*o.forced_begin, 1});
  if (!o.forced_end.empty() && place.last) only_these(scores, o.forced_end);
}

void ScoreRules::suppress(std::span<float> scores, const Place& place) const {
  const ScoreOptions& o = options_->scores;
  forbid(scores, o.suppressed);
  const size_t first = place.given + (place.given <= 1 && o.forced_begin ? 1 : 0);
  if (place.history.size() == first) forbid(scores, o.suppressed_first);
}

void ScoreRules::apply(std::span<float> scores, const Place& place) const {
  const ScoreOptions& o = options_->scores;
  add_biases(scores, place.history, o.sequence_bias);
  penalise_repetition(scores, place.history, o.repetition_penalty);
  forbid_repeated_ngrams(scores, place.history, o.no_repeat_ngram_size);
  add_biases(scores, place.history, o.bad_words);
  hold_length(scores, place);
  force(scores, place);
  suppress(scores, place);
}

}  // namespace tsrun::model
