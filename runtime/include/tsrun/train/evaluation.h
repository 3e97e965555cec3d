#pragma once

#include "tsrun/train/reading.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tsrun {

/// Scores of one evaluation.
struct Evaluation {
  int64_t step = 0;
  double epoch = 0;
  double loss = 0;
  std::map<std::string, double> metrics;
  double top_answer_share = 0;  ///< share of the most frequent prediction
  nlohmann::json to_json() const;
  static Evaluation from_json(const nlohmann::json& json);  ///< a number that JSON could not hold comes back as NaN
};
struct Predictions {
  std::vector<double> values;              ///< class, value or option, one a row; empty for free text and for tokens
  std::vector<std::vector<float>> logits;  ///< of heads that score rows, one list a row; of multiple choice, the options' log-likelihoods
  std::vector<std::string> texts;          ///< generated answers
  std::vector<std::vector<int64_t>> tags;  ///< of every word (token_classification), -1 where the row was cut before it
};

/// An encoded split and how its answers are scored. Built once, it serves evaluations of many weights.
struct EvaluationSet {
  const Task* task = nullptr;  ///< in the form of `task_for`
  const Split* split = nullptr;
  std::shared_ptr<const Tokenizer> tokenizer;
  Options reading;          ///< resolved against `text_options()`
  EncodedSplit rows;        ///< of which the loss is the mean
  EncodedSplit choices;     ///< `encode_options`, for answers chosen among options
  GenerateOptions writing;  ///< for generated answers
  /// Class of the task that each output of the head stands for, where the head was trained on other classes. Empty: its own.
  std::vector<int64_t> classes;
};
/// `task` must outlive the evaluation set. @throws Error(user) as `encode_split`
EvaluationSet make_evaluation_set(const Model& model, const Task& task, const std::string& split, const Options& reading);

/// Scores weights. The loss is the mean over rows, or over tokens with a target. A masked language model has the same tokens masked in
/// every evaluation.
Evaluation evaluate(const Family& family, const Weights& weights, const EvaluationSet& evaluation_set, at::Device device,
                    Predictions* predictions = nullptr);

/// Interval of the first metric over other draws of rows.
struct Interval {
  double low = 0, high = 0;
};
/// 95 % percentile bootstrap over rows (Efron & Tibshirani 1993, section 13.3): the metric of `draws` samples of the split, each of as many
/// rows, drawn with replacement under `key`. Samples without a finite score are left out. nullopt where predictions are not per row
/// (language modelling).
std::optional<Interval> bootstrap_interval(const EvaluationSet& evaluation_set, const Predictions& predictions, int64_t draws, Key key);

}  // namespace tsrun
