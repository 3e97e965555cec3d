#pragma once

#include "tsrun/base/options.h"
#include "tsrun/model/model.h"
#include "tsrun/train/reading.h"
#include "tsrun/tune/binding.h"
#include "tsrun/tune/regularizer.h"
#include "tsrun/tune/selector.h"
#include "tsrun/tune/trajectory.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tsrun {

/// epochs, max_steps, batch_size, optim, lr_scheduler_type, warmup_ratio, max_grad_norm, gradient_accumulation_steps,
/// gradient_checkpointing, precision, eval_every, early_stop, checkpoint_every … (names as in transformers' TrainingArguments where it has
/// them), and `reading_options()`.
OptionTable train_options();

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

/// How far the first metric would vary with other rows.
struct Interval {
  double low = 0, high = 0;
};
/// 95 % percentile bootstrap over rows (Efron & Tibshirani 1993, section 13.3): the metric of `draws` samples of the split, each of as many
/// rows, drawn with replacement under `key`. Samples without a finite score are left out. Nothing where no answers are known row by row, as
/// of language modelling.
std::optional<Interval> bootstrap_interval(const Exam& exam, const Predictions& predictions, int64_t draws, Key key);

/// Watches a run. Called in the order registered, with the weights of the step just made; may write into the run's work folder. What it
/// writes must be durable when the call returns, and dropped again when it stands after `resumed_at_step`; what it keeps in memory is
/// `state`, which the trainer saves with every checkpoint and gives back before `begin`.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void begin(const Binding& /*binding*/, int64_t /*steps_per_epoch*/, int64_t /*resumed_at_step*/) {}
  virtual void step_ended(const Binding& /*binding*/, int64_t /*step*/, double /*epoch*/) {}
  virtual void epoch_ended(const Binding& /*binding*/, int64_t /*step*/, double /*epoch*/) {}
  virtual void finished(const Binding& /*binding*/) {}
  virtual PluginState state() const { return {}; }
  virtual void restore(const PluginState& /*state*/) {}

  /// The trainer may leave rows of the word embeddings that no text reaches out of a binding; this puts them back.
  void set_whole(std::function<Weights(const Weights&)> whole) { whole_ = std::move(whole); }

 protected:
  Weights whole(const Weights& weights) const { return whole_ ? whole_(weights) : weights; }

 private:
  std::function<Weights(const Weights&)> whole_;
};

/// Records a trajectory of `set` into `folder`: every `every_steps` steps, or every epoch when 0.
std::unique_ptr<Observer> make_trajectory_recorder(std::filesystem::path folder, ParameterSet set, RowType type, int64_t every_steps);
/// Mean of all trained weights over the recorded points (float64 sum), written to `file` when finished.
std::unique_ptr<Observer> make_weight_averager(std::filesystem::path file, int64_t every_steps);

/// A selector or a regulariser that acts in a training; one of the two functions is set.
struct StepPlugin {
  std::string name;
  nlohmann::json identity;  ///< kind, version and options: a checkpoint of others is not gone on with
  Wants wants;
  std::function<std::unique_ptr<Selector>(const MethodInputs&)> selector;
  std::function<std::unique_ptr<Regularizer>(const MethodInputs&)> regularizer;
};

struct TrainJob {
  const Model* model = nullptr;  ///< family, tokenizer and the weights to start from
  const Task* task = nullptr;    ///< in the form of `task_for`; the model has the head of `head_for`
  std::string eval_split = "dev";
  Options options;  ///< resolved against train_options()
  TuneOptions tune;
  std::vector<StepPlugin> plugins;  ///< selectors and regularisers, in the order in which they act
  Key key = Key::root(0);           ///< the run's key; data order, dropout, z … are split from it
  at::Device device = at::kCPU;
  std::vector<std::unique_ptr<Observer>> observers;
  std::filesystem::path work;               ///< checkpoints for resume live here (kept until the stage commits)
  int64_t cache_memory = int64_t{1} << 30;  ///< bytes in memory of a scope's cached prefix; the rest lies in `work`
  std::string title;                        ///< for the progress display
};

struct TrainResult {
  Evaluation best, last;
  std::vector<Evaluation> evaluations;
  Weights last_weights, best_weights;  ///< all parts
  at::Tensor coordinates;              ///< z at the end; undefined in full space
  at::Tensor best_coordinates;         ///< z of the best evaluation
  nlohmann::json description;  ///< Binding::describe, trainable, degrees_of_freedom, bytes_shipped, steps, tokens; "plugins": their reports
};

/// Trains, evaluates, keeps best and last, and resumes from the newest valid checkpoint in `work`, bit for bit. Metrics are appended to
/// `work`/metrics.jsonl. @throws Error(run) on a non-finite loss, with step and row numbers, and when a mask never met a gradient;
/// Error(user) when a scope or the selectors leave everything trained; Error(interrupt) after a checkpoint.
TrainResult train(TrainJob job);

}  // namespace tsrun
