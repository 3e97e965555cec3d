// Evaluation of heads that judge tokens: tags of words, and language models.
#include "train/batches.h"
#include "train/carried_state.h"
#include "train/evaluate.h"
#include "train/masking.h"
#include "train/streams.h"
#include "tsrun/base/interrupt.h"
#include "tsrun/base/operators.h"
#include "tsrun/data/metrics.h"

#include <algorithm>

namespace tsrun::training {
namespace {

/// -1 where a word was cut off with the end of its row.
std::vector<int64_t> tags_of_words(const std::vector<int64_t>& targets, const int64_t* answers, size_t words) {
  std::vector<int64_t> tags;
  for (size_t i = 0; i < targets.size(); ++i) {
    if (targets[i] != no_target) tags.push_back(answers[i]);
  }
  tags.resize(words, -1);
  return tags;
}

double share_of_top_answer(const std::vector<std::vector<int64_t>>& tags) {
  std::vector<double> all;
  for (const auto& row : tags) all.insert(all.end(), row.begin(), row.end());
  return top_answer_share(all);
}

/// The batch, with hidden tokens where the head guesses them.
PackedBatch batch_of(const EvaluatedModel& model, const EncodedSplit& split, std::span<const int64_t> rows, const Masking* masking) {
  PackedRows packed = pack_batch(split, rows);
  if (masking) packed.token_targets = masking->apply(packed, 0);
  return to_device(packed, model.family.head(), model.device);
}

/// Tokens with a target in each row.
std::vector<int64_t> judged_in_rows(const at::Tensor& targets, const std::vector<int64_t>& offsets) {
  const at::Tensor host = targets.cpu().contiguous();
  const int64_t* target = host.const_data_ptr<int64_t>();
  std::vector<int64_t> counts;
  for (size_t row = 0; row + 1 < offsets.size(); ++row)
    counts.push_back(offsets[row + 1] - offsets[row] - std::count(target + offsets[row], target + offsets[row + 1], no_target));
  return counts;
}

}  // namespace

std::vector<std::vector<int64_t>> right_tags(const EvaluationSet& evaluation_set) {
  std::vector<std::vector<int64_t>> tags;
  for (const int64_t example : evaluation_set.rows.examples)
    tags.push_back(evaluation_set.split->examples[static_cast<size_t>(example)].tags);
  return tags;
}

void evaluate_tags(const EvaluatedModel& model, const EvaluationSet& evaluation_set, Evaluation& evaluation, Predictions& predictions) {
  predictions.tags.assign(evaluation_set.rows.rows.size(), {});
  int64_t judged = 0;
  for (const auto& rows : evaluation_batches(evaluation_set.rows, model.family.head().outputs)) {
    check_interrupt();
    const PackedBatch batch = batch_of(model, evaluation_set.rows, rows, nullptr);
    const Output output = model.family.forward(model.weights, batch, {});
    std::vector<int64_t> lengths;
    for (const int64_t row : rows) lengths.push_back(static_cast<int64_t>(evaluation_set.rows.rows[static_cast<size_t>(row)].ids.size()));
    require_finite_scores(model, output.logits, evaluation_set.rows, rows, lengths);
    int64_t tokens = 0;
    for (const int64_t row : rows) tokens += judged_tokens(evaluation_set.rows, row);
    if (tokens > 0) evaluation.loss += task_loss(model.family.head(), output, batch).item<double>() * static_cast<double>(tokens);
    judged += tokens;
    const at::Tensor best = output.logits.argmax(1).cpu().contiguous();
    for (size_t i = 0; i < rows.size(); ++i) {
      const auto row = static_cast<size_t>(rows[i]);
      const auto& example = evaluation_set.split->examples[static_cast<size_t>(evaluation_set.rows.examples[row])];
      predictions.tags[row] = tags_of_words(evaluation_set.rows.token_targets[row], best.const_data_ptr<int64_t>() + batch.host_offsets[i],
                                            example.words.size());
    }
  }
  evaluation.loss /= static_cast<double>(std::max<int64_t>(1, judged));
  const auto targets = right_tags(evaluation_set);
  for (const auto& name : evaluation_set.task->metrics)
    evaluation.metrics[name] = tag_metric(name, predictions.tags, targets, evaluation_set.task->labels);
  evaluation.top_answer_share = share_of_top_answer(predictions.tags);
}

std::vector<Likelihood> row_likelihoods(const EvaluatedModel& model, const EncodedSplit& split, const Tokenizer& tokenizer) {
  const at::NoGradGuard no_grad;
  const HeadKind head = model.family.head().kind;
  std::optional<Masking> masking;
  if (head == HeadKind::masked_lm)
    masking.emplace(tokenizer, 0.15, Key::root(0).split("evaluation masking"), model.family.config().at("vocab_size").get<int64_t>());
  std::vector<Likelihood> likelihoods(split.rows.size());
  const bool carries = has_continued_rows(split);
  const int64_t words = tokenizer.vocabulary_size();
  CarriedState carried;
  for (const auto& rows : carries ? evaluation_streams(split, words) : evaluation_batches(split, words)) {
    check_interrupt();
    const PackedBatch batch = batch_of(model, split, rows, masking ? &*masking : nullptr);
    const auto& offsets = head == HeadKind::seq2seq_lm ? batch.decoder_host_offsets : batch.host_offsets;
    ForwardOptions forward;
    if (carries) forward.state = carried.before(split, rows);
    const Output output = model.family.forward(model.weights, batch, forward);
    if (carries) carried.take(rows, output.state);
    const at::Tensor& logits = output.logits;
    const at::Tensor targets = batch.targets.masked_select(batch.targets != no_target);
    require_finite_scores(model, logits, split, rows, judged_in_rows(batch.targets, offsets));
    const at::Tensor losses = at::cross_entropy_loss(logits, targets, {}, at::Reduction::None).cpu().contiguous();
    const at::Tensor judged = batch.targets.cpu().contiguous();
    int64_t next = 0;
    for (size_t i = 0; i < rows.size(); ++i) {
      Likelihood& own = likelihoods[static_cast<size_t>(rows[i])];
      for (int64_t token = offsets[i]; token < offsets[i + 1]; ++token) {
        if (judged.const_data_ptr<int64_t>()[token] == no_target) continue;
        own.sum += static_cast<double>(losses.const_data_ptr<float>()[next++]);
        ++own.tokens;
      }
    }
  }
  return likelihoods;
}

void evaluate_language(const EvaluatedModel& model, const EvaluationSet& evaluation_set, Evaluation& evaluation) {
  Likelihood all;
  for (const Likelihood& row : row_likelihoods(model, evaluation_set.rows, *evaluation_set.tokenizer)) {
    all.sum += row.sum;
    all.tokens += row.tokens;
  }
  int64_t bytes = 0;
  for (const int64_t own : evaluation_set.rows.bytes) bytes += own;
  evaluation.loss = all.sum / static_cast<double>(std::max<int64_t>(1, all.tokens));
  for (const auto& name : evaluation_set.task->metrics) evaluation.metrics[name] = likelihood_metric(name, all.sum, all.tokens, bytes);
}

}  // namespace tsrun::training
