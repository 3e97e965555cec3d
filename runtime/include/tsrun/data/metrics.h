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
/// `predictions` are class indices or regression values, as are `targets`. Means are over all `classes` classes of the task, whichever of
/// them occur; a class that neither side has counts 0, as does a correlation of which one side is constant.
double metric(std::string_view name, std::span<const double> predictions, std::span<const double> targets, int64_t classes);
/// Classes that the answers of a split are told apart by: the task's labels; of a multiple choice without labels, the options of its
/// longest row; 0 of a regression.
int64_t classes_of(const Task& task, const Split& split);
const std::vector<std::string>& metric_names();
bool higher_is_better(std::string_view name);

/// Share of the most frequent prediction, in [0, 1]; 1 means a collapsed classifier.
double commonest_share(std::span<const double> predictions);
double commonest_share(std::span<const std::string> predictions);

/// Metrics over answers in words. Both sides are stripped of white space; a row's score is its best over the accepted answers.
/// Names: exact_match (case matters), accuracy (it does not), macro_f1 (over `labels`; without them, over the classes of the first accepted
/// answers, as Unified-DeltaTuning scores; an answer that is no class costs one class once), token_f1 (words without case, punctuation and
/// articles, as SQuAD counts), rouge_l (F of the longest common subsequence of words), matthews (classes are the different texts of
/// `labels`; any other answer is a class of its own), pearson and spearman (numbers read from the texts; what is no number counts as
/// `low`).
struct TextAnswers {
  std::span<const std::string> predictions;
  std::span<const std::vector<std::string>> accepted;
  std::span<const std::string> labels = {};  ///< class texts in order, where there are classes
  double low = 0;                            ///< of a regression's range
};
double text_metric(std::string_view name, const TextAnswers& answers);

/// Metrics over tags. Names: accuracy (of words), entity_f1 (micro F1 of whole entities under the tags in `labels`, as conlleval and
/// seqeval count: B-, I-, E- and S-, or bare names of types), macro_f1 (of words, the mean over all of `labels`).
double tag_metric(std::string_view name, std::span<const std::vector<int64_t>> predictions, std::span<const std::vector<int64_t>> targets,
                  std::span<const std::string> labels);

/// Metrics of a language model from the summed negative log-likelihood (nats) of its targets. Names: perplexity (a token),
/// byte_perplexity, bits_per_byte.
double likelihood_metric(std::string_view name, double negative_log_likelihood, int64_t tokens, int64_t bytes);

/// Names that a task of this kind may have.
const std::vector<std::string>& metric_names(TaskKind kind);

}  // namespace tsrun
