#pragma once

#include "tsrun/train/evaluation.h"

#include <nlohmann/json.hpp>

#include <span>
#include <string>
#include <vector>

namespace tsrun {

/// Answers of a split and what is right, row by row: enough for the first metric of any draw of rows, without model and task.
/// A training keeps them of its best and its last evaluation (outcomes.json in its folder).
struct RowOutcomes {
  std::string metric;
  int64_t classes = 0;                                 ///< as `classes_of`
  std::vector<std::string> labels;                     ///< classes of texts, or tags
  double low = 0;                                      ///< as TextAnswers
  std::vector<double> scores;                          ///< of texts under a metric that is a mean over rows; then all below is empty
  std::vector<double> values, targets;                 ///< of heads that judge rows (classes as the task numbers them), and of options
  std::vector<std::string> texts;                      ///< written answers …
  std::vector<std::vector<std::string>> accepted;      ///< … and those that are right
  std::vector<std::vector<int64_t>> tags, right_tags;  ///< of words

  /// Without rows where predictions are not per row (language modelling).
  static RowOutcomes of(const EvaluationSet& evaluation_set, const Predictions& predictions);
  int64_t rows() const;
  /// The metric of these rows, which may repeat; 0 rows are a bug of the caller.
  double score(std::span<const int64_t> drawn) const;

  nlohmann::json to_json() const;
  static RowOutcomes from_json(const nlohmann::json& json);  ///< @throws nlohmann::json::exception
};

/// As many rows as there are, drawn with replacement under `key`: the same ones for every split of this size.
std::vector<int64_t> drawn_rows(int64_t rows, Key key);

}  // namespace tsrun
