#pragma once

#include "tsrun/data/task.h"

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tsrun {

/// Names: accuracy, f1 (class 1 of two, else macro), macro_f1, matthews, pearson, spearman.
/// `predictions` and `targets` are class indices or regression values. Means are over all `classes` classes of the task; a class without
/// predictions and targets counts 0, as does a correlation with a constant side.
double metric_value(std::string_view name, std::span<const double> predictions, std::span<const double> targets, int64_t classes);
/// Number of classes for metrics: the task's labels; of a multiple choice without labels, the most options of a row; 0 for a regression.
int64_t classes_of(const Task& task, const Split& split);
const std::vector<std::string>& metric_names();
bool higher_is_better(std::string_view name);

/// Share of the most frequent prediction, in [0, 1]; 1 means a collapsed classifier.
double top_answer_share(std::span<const double> predictions);
double top_answer_share(std::span<const std::string> predictions);

/// Metrics of generated answers. Both sides are stripped of white space; a row's score is its best over the accepted answers.
/// Names: exact_match (with case), accuracy (without), macro_f1 (over `labels`; without them, over the classes of the first accepted
/// answers, as Unified-DeltaTuning scores; an answer outside the classes costs one class once), token_f1 (words without case, punctuation
/// and articles, as SQuAD counts), rouge_l (F of the longest common subsequence of words), matthews (classes are the different texts of
/// `labels`; all other answers are one more class), pearson and spearman (numbers read from the texts; other texts count as `low`).
struct TextAnswers {
  std::span<const std::string> predictions;
  std::span<const std::vector<std::string>> accepted;
  std::span<const std::string> labels = {};  ///< texts of the classes in order
  double low = 0;                            ///< lower end of a regression's range
};
double text_metric(std::string_view name, const TextAnswers& answers);

/// Metrics over tags. Names: accuracy (of words), entity_f1 (micro F1 of whole entities under the tags in `labels`, as conlleval and
/// seqeval count: B-, I-, E- and S-, or bare names of types), macro_f1 (of words, the mean over all of `labels`).
double tag_metric(std::string_view name, std::span<const std::vector<int64_t>> predictions, std::span<const std::vector<int64_t>> targets,
                  std::span<const std::string> labels);

/// Metrics of a language model from the summed negative log-likelihood (nats) of its targets. Names: perplexity (a token),
/// byte_perplexity, bits_per_byte.
double likelihood_metric(std::string_view name, double negative_log_likelihood, int64_t tokens, int64_t bytes);

/// Names of the metrics of this kind of task.
const std::vector<std::string>& metric_names(TaskKind kind);

}  // namespace tsrun
