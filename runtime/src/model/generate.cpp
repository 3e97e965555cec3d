#include "tsrun/model/generate.h"

#include "model/writer.h"
#include "tsrun/base/error.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/log_softmax.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>

namespace tsrun {
namespace {

void check_prompts(const Family& family, const std::vector<std::vector<int64_t>>& prompts) {
  for (size_t row = 0; row < prompts.size(); ++row) {
    const auto length = static_cast<int64_t>(prompts[row].size());
    if (length == 0) user_error("prompt {} is empty, expected at least one token", row);
    if (family.reader() == Reader::causal && length >= family.max_positions())
      user_error("prompt {} has {} tokens and the model {} positions: nothing fits behind it", row, length, family.max_positions());
  }
}

bool at_last_position(const Family& family, size_t prompt, size_t written) {
  return family.reader() == Reader::causal && static_cast<int64_t>(prompt + written) >= family.max_positions();
}

class Greedy {
 public:
  Greedy(const Family& family, const std::vector<std::vector<int64_t>>& prompts, const GenerateOptions& options)
      : family_(family), prompts_(prompts), options_(options), texts_(prompts.size()) {
    for (size_t row = 0; row < prompts.size(); ++row) rows_.push_back(row);
  }

  std::vector<Generated> run(Writer& writer) {
    at::Tensor logits = writer.begin();
    while (true) {
      std::vector<int64_t> places, ids;
      take(logits.argmax(1).cpu(), places, ids);
      if (ids.empty()) return std::move(texts_);
      if (places.size() < static_cast<size_t>(logits.size(0))) writer.select(places);
      logits = writer.next(ids);
    }
  }

 private:
  /// Gives every row its token; those that go on remain.
  void take(const at::Tensor& best, std::vector<int64_t>& places, std::vector<int64_t>& ids) {
    std::vector<size_t> going_on;
    for (size_t i = 0; i < rows_.size(); ++i) {
      if (!add(rows_[i], best.const_data_ptr<int64_t>()[i])) continue;
      places.push_back(static_cast<int64_t>(i));
      ids.push_back(best.const_data_ptr<int64_t>()[i]);
      going_on.push_back(rows_[i]);
    }
    rows_ = std::move(going_on);
  }

  /// Whether the row goes on.
  bool add(size_t row, int64_t id) {
    Generated& text = texts_[row];
    text.ended = std::find(options_.end_ids.begin(), options_.end_ids.end(), id) != options_.end_ids.end();
    if (text.ended) return false;
    text.ids.push_back(id);
    text.ended = options_.stop && options_.stop(text.ids);
    return !text.ended && static_cast<int64_t>(text.ids.size()) < options_.max_new_tokens &&
           !at_last_position(family_, prompts_[row].size(), text.ids.size());
  }

  const Family& family_;
  const std::vector<std::vector<int64_t>>& prompts_;
  const GenerateOptions& options_;
  std::vector<Generated> texts_;
  std::vector<size_t> rows_;  ///< that still run
};

/// All prompts' beams in one batch.
class BeamSearch {
 public:
  BeamSearch(const Family& family, const std::vector<std::vector<int64_t>>& prompts, const GenerateOptions& options)
      : family_(family), prompts_(prompts), options_(options), beams_(prompts.size(), Beams(options)) {}

  std::vector<Generated> run(Writer& writer) {
    at::Tensor logits = writer.begin();
    for (size_t written = 1;; ++written) {
      const Beams::Step step = advance(at::log_softmax(logits.to(at::kFloat), 1).cpu().contiguous(), written);
      if (step.ids.empty()) break;
      writer.select(step.parents);
      logits = writer.next(step.ids);
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
      const bool last =
          static_cast<int64_t>(written) == options_.max_new_tokens || at_last_position(family_, prompts_[prompt].size(), written);
      const Beams::Step step = beams.advance(log_probabilities.narrow(0, first, rows), last);
      for (size_t i = 0; beams.open() && i < step.ids.size(); ++i) {
        all.parents.push_back(first + step.parents[i]);
        all.ids.push_back(step.ids[i]);
      }
      first += rows;
    }
    return all;
  }

  const Family& family_;
  const std::vector<std::vector<int64_t>>& prompts_;
  const GenerateOptions& options_;
  std::vector<Beams> beams_;
};

}  // namespace

std::vector<Generated> generate(const Family& family, const Weights& weights, const std::vector<std::vector<int64_t>>& prompts,
                                const GenerateOptions& options, at::Device device) {
  const HeadKind head = family.head().kind;
  if (head != HeadKind::causal_lm && head != HeadKind::seq2seq_lm) internal_error("generate: a {} head writes no text", name_of(head));
  if (options.max_new_tokens < 1 || options.num_beams < 1)
    user_error("generate: max_new_tokens is {} and num_beams is {}, expected at least 1", options.max_new_tokens, options.num_beams);
  check_prompts(family, prompts);
  if (prompts.empty()) return {};
  const c10::InferenceMode no_gradient;
  Writer writer(family, weights, prompts, options.max_new_tokens, options.forward, device);
  return options.num_beams == 1 ? Greedy(family, prompts, options).run(writer) : BeamSearch(family, prompts, options).run(writer);
}

}  // namespace tsrun
