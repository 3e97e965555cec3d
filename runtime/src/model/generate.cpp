#include "tsrun/model/generate.h"

#include "model/beams.h"
#include "model/incremental_decoder.h"
#include "model/sampling.h"
#include "model/score_rules.h"
#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <c10/core/InferenceMode.h>

#include <algorithm>

namespace tsrun {
namespace model {
namespace {

void check_prompts(const Family& family, const std::vector<std::vector<int64_t>>& prompts) {
  for (size_t row = 0; row < prompts.size(); ++row) {
    const auto length = static_cast<int64_t>(prompts[row].size());
    if (length == 0) user_error("prompt {} is empty, expected at least one token", row);
    if (family.model_kind() == ModelKind::causal && length >= family.max_positions())
      user_error("prompt {} has {} tokens and the model {} positions: nothing fits behind it", row, length, family.max_positions());
  }
}

bool at_last_position(const Family& family, size_t prompt, size_t written) {
  return family.model_kind() == ModelKind::causal && static_cast<int64_t>(prompt + written) >= family.max_positions();
}

/// Limits and score processors of the continuation of each prompt.
class PromptLimits {
 public:
  PromptLimits(const Family& family, const std::vector<std::vector<int64_t>>& prompts, const GenerateOptions& options)
      : family_(family), options_(options), rules_(options) {
    const bool own_stack = family.model_kind() == ModelKind::encoder_decoder;
    for (const auto& prompt : prompts)
      starts_.push_back(own_stack ? std::vector{options.decoder_start.value_or(family.decoder_start())} : prompt);
    for (size_t row = 0; row < prompts.size(); ++row) {
      if (limit(row) < 1)
        user_error("generate: max_length is {}, but prompt {} has {} tokens", options.max_length, row, starts_[row].size());
    }
  }

  int64_t limit(size_t row) const {
    return options_.max_length > 0 ? options_.max_length - static_cast<int64_t>(starts_[row].size()) : options_.max_new_tokens;
  }
  int64_t longest() const {
    int64_t most = 0;
    for (size_t row = 0; row < starts_.size(); ++row) most = std::max(most, limit(row));
    return family_.model_kind() == ModelKind::causal ? std::min(most, family_.max_positions()) : most;  // a max_length may be any number
  }
  /// Whether nothing fits behind `written` tokens.
  bool full(size_t row, size_t written) const {
    return static_cast<int64_t>(written) >= limit(row) || at_last_position(family_, starts_[row].size(), written);
  }
  bool ruled() const { return rules_.any(); }
  /// Scores [vocabulary] of the token behind `written`, by the rules.
  void rule(const at::Tensor& scores, size_t row, const std::vector<int64_t>& written) const {
    std::vector<int64_t> history = starts_[row];
    history.insert(history.end(), written.begin(), written.end());
    const bool last = static_cast<int64_t>(written.size()) + 1 == limit(row);
    rules_.apply({scores.mutable_data_ptr<float>(), static_cast<size_t>(scores.numel())}, {history, starts_[row].size(), last});
  }

 private:
  const Family& family_;
  const GenerateOptions& options_;
  ScoreRules rules_;
  std::vector<std::vector<int64_t>> starts_;  ///< first tokens of the generating stack
};

/// A float32 copy of scores on the host.
at::Tensor own_scores(const at::Tensor& scores) {
  return scores.to(at::kCPU, at::kFloat, /*non_blocking=*/false, /*copy=*/true).contiguous();
}

/// Texts that grow by one token at a time, the likeliest or a drawn one.
class Stepwise {
 public:
  Stepwise(const PromptLimits& limits, size_t prompts, const GenerateOptions& options)
      : limits_(limits), options_(options), texts_(prompts) {
    for (size_t row = 0; row < prompts; ++row) rows_.push_back(row);
  }

  std::vector<Generated> run(IncrementalDecoder& decoder) {
    at::Tensor logits = decoder.begin();
    while (true) {
      std::vector<int64_t> places, ids;
      take(chosen(ruled(logits)), places, ids);
      if (ids.empty()) return std::move(texts_);
      if (places.size() < static_cast<size_t>(logits.size(0))) decoder.select(places);
      logits = decoder.next(ids);
    }
  }

 private:
  std::vector<int64_t> chosen(const at::Tensor& scores) const {
    std::vector<int64_t> ids;
    if (!options_.sampling) {
      const at::Tensor best = scores.argmax(1).cpu();
      ids.assign(best.const_data_ptr<int64_t>(), best.const_data_ptr<int64_t>() + best.numel());
      return ids;
    }
    const at::Tensor host = own_scores(scores);
    for (size_t i = 0; i < rows_.size(); ++i) {
      const Key key = options_.sampling->key.split(rows_[i]).split(texts_[rows_[i]].ids.size());
      const std::span row(host.const_data_ptr<float>() + static_cast<int64_t>(i) * host.size(1), static_cast<size_t>(host.size(1)));
      ids.push_back(sampled_token(row, *options_.sampling, key));
    }
    return ids;
  }

  at::Tensor ruled(const at::Tensor& logits) const {
    if (!limits_.ruled()) return logits;
    const at::Tensor scores = own_scores(logits);
    for (size_t i = 0; i < rows_.size(); ++i) limits_.rule(scores[static_cast<int64_t>(i)], rows_[i], texts_[rows_[i]].ids);
    return scores;
  }

  /// Appends a token to every row and drops those that have ended.
  void take(const std::vector<int64_t>& next, std::vector<int64_t>& places, std::vector<int64_t>& ids) {
    std::vector<size_t> going_on;
    for (size_t i = 0; i < rows_.size(); ++i) {
      if (!add(rows_[i], next[i])) continue;
      places.push_back(static_cast<int64_t>(i));
      ids.push_back(next[i]);
      going_on.push_back(rows_[i]);
    }
    rows_ = std::move(going_on);
  }

  /// Whether the row goes on.
  bool add(size_t row, int64_t id) {
    Generated& text = texts_[row];
    text.ended = std::find(options_.end_ids.begin(), options_.end_ids.end(), id) != options_.end_ids.end();
    text.ids.push_back(id);
    if (text.ended) return false;
    text.ended = options_.stop && options_.stop(text.ids);
    return !text.ended && !limits_.full(row, text.ids.size());
  }

  const PromptLimits& limits_;
  const GenerateOptions& options_;
  std::vector<Generated> texts_;
  std::vector<size_t> rows_;  ///< running rows
};

/// All prompts' beams in one batch.
class BeamSearch {
 public:
  BeamSearch(const PromptLimits& limits, size_t prompts, const GenerateOptions& options)
      : limits_(limits), beams_(prompts, Beams(options)) {}

  std::vector<Generated> run(IncrementalDecoder& decoder) {
    at::Tensor logits = decoder.begin();
    for (size_t written = 1;; ++written) {
      const Beams::Step step = advance(own_scores(at::log_softmax(logits.to(at::kFloat), 1)), written);
      if (step.ids.empty()) break;
      decoder.select(step.parents);
      logits = decoder.next(step.ids);
    }
    std::vector<Generated> texts;
    for (const Beams& beams : beams_) texts.push_back(beams.best());
    return texts;
  }

 private:
  Beams::Step advance(const at::Tensor& log_probabilities, size_t written) {
    Beams::Step all;
    int64_t first = 0;
    for (size_t prompt = 0; prompt < beams_.size(); ++prompt) {
      Beams& beams = beams_[prompt];
      if (!beams.open()) continue;
      const int64_t rows = beams.running();
      const at::Tensor own = log_probabilities.narrow(0, first, rows);
      for (int64_t beam = 0; limits_.ruled() && beam < rows; ++beam) limits_.rule(own[beam], prompt, beams.written(beam));
      const Beams::Step step = beams.advance(own, limits_.full(prompt, written));
      for (size_t i = 0; beams.open() && i < step.ids.size(); ++i) {
        all.parents.push_back(first + step.parents[i]);
        all.ids.push_back(step.ids[i]);
      }
      first += rows;
    }
    return all;
  }

  const PromptLimits& limits_;
  std::vector<Beams> beams_;
};

}  // namespace

}  // namespace model

std::vector<Generated> generate(const Family& family, const Weights& weights, const std::vector<std::vector<int64_t>>& prompts,
                                const GenerateOptions& options, at::Device device) {
  using namespace model;
  const HeadKind head = family.head().kind;
  if (head != HeadKind::causal_lm && head != HeadKind::seq2seq_lm) internal_error("generate: a {} head writes no text", name_of(head));
  if (options.max_new_tokens < 1 || options.num_beams < 1)
    user_error("generate: max_new_tokens is {} and num_beams is {}, expected at least 1", options.max_new_tokens, options.num_beams);
  if (options.sampling) check_sampling(*options.sampling);
  if (options.sampling && options.num_beams > 1)
    user_error("generate: num_beams is {} of a text that is sampled, expected 1", options.num_beams);
  check_prompts(family, prompts);
  if (prompts.empty()) return {};
  const c10::InferenceMode no_gradient;
  const PromptLimits limits(family, prompts, options);
  const Weights placed = on_device(weights, device);
  IncrementalDecoder decoder(family, placed, prompts, limits.longest(), options, device);
  return options.num_beams == 1 ? Stepwise(limits, prompts.size(), options).run(decoder)
                                : BeamSearch(limits, prompts.size(), options).run(decoder);
}

}  // namespace tsrun
