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
  double commonest_share = 0;  ///< share of the commonest answer
  nlohmann::json to_json() const;
  static Evaluation from_json(const nlohmann::json& json);  ///< a number that JSON could not hold comes back as NaN
};
struct Predictions {
  std::vector<double> values;              ///< class, value or option, one a row; empty for answers in free words and for tokens
  std::vector<std::vector<float>> logits;  ///< of heads that judge rows, one list a row; where options are chosen, their log-likelihoods
  std::vector<std::string> texts;          ///< answers in words
  std::vector<std::vector<int64_t>> tags;  ///< of every word (token_classification), -1 where the row was cut before it
};

/// A split as a model reads it, and how its answers are scored. Build it once and evaluate many weights on it.
struct Exam {
  const Task* task = nullptr;  ///< in the form of `task_for`
  const Split* split = nullptr;
  std::shared_ptr<const Tokenizer> tokenizer;
  Options reading;          ///< resolved against `reading_options()`
  EncodedSplit rows;        ///< what the loss is of
  EncodedSplit choices;     ///< `encode_options`, where an answer is chosen
  GenerateOptions writing;  ///< where it is written
};
/// `task` must outlive the exam. @throws Error(user) as `encode_split`
Exam make_exam(const Model& model, const Task& task, const std::string& split, const Options& reading);

/// Scores weights. The loss is the mean over rows, or over the tokens that have a target. Masked language models guess the same hidden
/// tokens every time.
Evaluation evaluate(const Family& family, const Weights& weights, const Exam& exam, at::Device device, Predictions* predictions = nullptr);

/// Interval of the first metric over other draws of rows.
struct Interval {
  double low = 0, high = 0;
};
/// 95 % percentile bootstrap over rows (Efron & Tibshirani 1993, section 13.3): the metric of `draws` samples of the split, each of as many
/// rows, drawn with replacement under `key`. Samples without a finite score are left out. Nothing where no answers are known row by row, as
/// of language modelling.
std::optional<Interval> bootstrap_interval(const Exam& exam, const Predictions& predictions, int64_t draws, Key key);

}  // namespace tsrun
