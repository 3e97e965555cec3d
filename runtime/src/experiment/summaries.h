#pragma once

#include "experiment/artifacts.h"
#include "tsrun/base/options.h"
#include "tsrun/train/train.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>

/// Summaries of results. A plan has the same fields, with zeros.
namespace tsrun::experiment {

/// {"score", "loss", "epoch", "step", "metrics", "top_answer_share"}
struct Score {
  Evaluation evaluation;
  double score = 0;  ///< the task's first metric

  static Score of(Evaluation evaluation, const Task& task);
  nlohmann::json to_json() const;
};

/// Weights that were scored without training: {"best", "last", "metric"}, and "interval" where there is one.
struct EvaluationSummary {
  Score score;
  std::string metric;
  std::optional<Interval> interval;  ///< 95 %, of the first metric

  /// `draws`: the option `bootstrap`.
  static EvaluationSummary planned(const std::string& metric, int64_t draws);
  nlohmann::json to_json() const;
};

/// Weights that were trained: {"best", "last", "metric", "trained", "trainable", "degrees_of_freedom", "bytes_shipped"}.
struct TrainSummary {
  Score best, last;
  std::string metric;
  int64_t trainable = 0, degrees_of_freedom = 0, bytes_shipped = 0;

  nlohmann::json to_json() const;
};

/// The handle of weights that were scored without training, from what its stage returned.
nlohmann::json untrained(nlohmann::json handle, const ModelRef& model, const TaskRef& task, int64_t seed);
/// `binding.subspace` of a handle whose weights come out of a basis, of the first `directions` of each group (0: all), for reports.
void put_basis(nlohmann::json& handle, const BasisRef& basis, int64_t directions = 0);
/// The same of a basis of `bytes` with `dims` coordinates a group.
void put_basis(nlohmann::json& handle, int64_t bytes, const std::vector<int64_t>& dims);

/// The option `bootstrap`: number of samples for an interval. Every stage draws the same samples of a split.
Option bootstrap_option(int64_t fallback);
/// Nothing for no draws, and for tasks without an answer a row (language modelling).
std::optional<Interval> interval_of(const EvaluationSet& evaluation_set, const Predictions& predictions, int64_t draws);

/// Facts of a family, for recipes: {"family", "layers", "hidden_size", "parameters", "encoder_parameters"}.
nlohmann::json describe_family(const Family& family);

}  // namespace tsrun::experiment
