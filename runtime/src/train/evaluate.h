#pragma once

#include "tsrun/train/train.h"

/// The kinds of evaluation; each fills in the loss, the metrics and the predictions.
namespace tsrun::training {

struct EvaluatedModel {
  const Family& family;
  const Weights& weights;
  at::Device device;
};

void evaluate_rows(const EvaluatedModel& model, const EvaluationSet& evaluation_set, Evaluation& evaluation, Predictions& predictions);
void evaluate_tags(const EvaluatedModel& model, const EvaluationSet& evaluation_set, Evaluation& evaluation, Predictions& predictions);
void evaluate_language(const EvaluatedModel& model, const EvaluationSet& evaluation_set, Evaluation& evaluation);
void evaluate_text(const EvaluatedModel& model, const EvaluationSet& evaluation_set, Evaluation& evaluation, Predictions& predictions);

/// @throws Error(run) unless all `scores` are finite: naming the weight to blame, else the row. `rows` are those of `split`, `counts` says
/// how many of the scores belong to each.
void require_finite_scores(const EvaluatedModel& model, const at::Tensor& scores, const EncodedSplit& split, std::span<const int64_t> rows,
                           const std::vector<int64_t>& counts);

/// The texts that each example's answer may be.
std::vector<std::vector<std::string>> accepted_answers(const EvaluationSet& evaluation_set);
/// The option that each row of a multiple choice was answered with: as chosen, or the one that was written (case aside); -1: none.
std::vector<double> option_numbers(const EvaluationSet& evaluation_set, const Predictions& predictions);
std::vector<double> right_options(const EvaluationSet& evaluation_set);
/// The tags of each row's words.
std::vector<std::vector<int64_t>> right_tags(const EvaluationSet& evaluation_set);

/// Sums of negative log-likelihoods, and what they are of.
struct Likelihood {
  double sum = 0;
  int64_t tokens = 0;
};
/// Of every row's targets. Masked language models hide the same tokens every time.
std::vector<Likelihood> row_likelihoods(const EvaluatedModel& model, const EncodedSplit& split, const Tokenizer& tokenizer);

}  // namespace tsrun::training
