#pragma once

#include "tsrun/base/options.h"
#include "tsrun/model/model.h"
#include "tsrun/train/evaluation.h"
#include "tsrun/train/observer.h"
#include "tsrun/train/row_outcomes.h"
#include "tsrun/tune/binding.h"
#include "tsrun/tune/regularizer.h"
#include "tsrun/tune/selector.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tsrun {

/// epochs, max_steps, batch_size, optim, lr_scheduler_type, warmup_ratio, max_grad_norm, gradient_accumulation_steps,
/// gradient_checkpointing, dropout, precision, eval_every, early_stop, checkpoint_every … (names as in transformers' TrainingArguments
/// where it has them), and `text_options()`.
OptionTable train_options();

/// A selector or a regulariser that acts in a training; one of the two functions is set.
struct StepPlugin {
  std::string name;
  nlohmann::json identity;  ///< kind, version and options: a checkpoint of others is not gone on with
  Wants wants;
  std::function<std::unique_ptr<Selector>(const MethodInputs&)> selector;
  std::function<std::unique_ptr<Regularizer>(const MethodInputs&)> regularizer;
};

/// How far the coordinates of a subspace must and can travel under Adam.
struct ReachReport {
  std::vector<std::string> names;  ///< of the subspace's groups
  std::vector<double> distances;   ///< as TrainJob has them
  std::vector<double> ways;        ///< learning rate times the schedule, summed over the planned steps
  /// The smallest way over distance of a group; 1 where none has a distance. Below 1 a group cannot get there.
  double share() const;
  std::vector<std::string> warnings() const;  ///< a sentence for each such group
  nlohmann::json to_json() const;
};

struct TrainJob {
  const Model* model = nullptr;  ///< family, tokenizer and the weights to start from
  const Task* task = nullptr;    ///< in the form of `task_for`; the model has the head of `head_for`
  std::string eval_split = "dev";
  Options options;  ///< resolved against train_options()
  TuneOptions tune;
  /// Way of each group's coordinates to the update that they should reach (tune/reach.h); empty: not known.
  std::vector<double> distances;
  /// Chooses the learning rates of coordinates, group by group: such that under the schedule of all planned steps they travel so many
  /// times their distance at most. For AdamW alone, whose steps are bounded by the rate.
  std::optional<double> reach;
  std::vector<StepPlugin> plugins;  ///< selectors and regularisers, in the order in which they act
  Key key = Key::root(0);           ///< the run's key; data order, dropout, z … are split from it
  at::Device device = at::kCPU;
  std::vector<std::unique_ptr<Observer>> observers;
  std::filesystem::path work;               ///< checkpoints for resume live here (kept until the stage commits)
  int64_t cache_memory = int64_t{1} << 30;  ///< bytes in memory of a scope's cached prefix; the rest lies in `work`
  std::string title;                        ///< for the progress display
};

/// What was trained, and what it took.
struct TrainReport {
  int64_t trainable = 0;           ///< numbers that the optimiser holds; rows of words that no text reaches count, though they never move
  int64_t degrees_of_freedom = 0;  ///< of these, those that no mask holds, and coordinates in the place of what they span
  double trainable_share = 0;      ///< degrees of freedom over the model's numbers
  int64_t bytes_shipped = 0;       ///< float32, of what must be stored beside the model that the training began with
  int64_t gradient_bytes = 0;      ///< of gradient buffers; 0 of forward-only optimisers
  int64_t out_of_reach = 0;        ///< numbers in rows of words that no text reaches
  int64_t optimizer_bytes = 0;     ///< that the optimiser holds beside values and gradients, without what plugins hold for theirs
  std::optional<int64_t> failed_steps = {};  ///< of solvers that count them: steps that lowered no loss
  int64_t steps = 0, steps_planned = 0, steps_per_epoch = 0;
  int64_t tokens = 0;                               ///< that forward passes of the training read
  int64_t forward_passes = 0, backward_passes = 0;  ///< of micro-batches, those of plugins too; evaluations do not count
  /// Work of the layers, means over the steps: 1 where everything is trained. Plugins that run batches again, or probe, do more.
  double forward_share = 1, backward_share = 1;
  std::optional<ReachReport> reach;  ///< of a subspace with distances, under AdamW
  nlohmann::json evaluations = {};   ///< lines of metrics.jsonl: scores, mean loss and passes so far
  nlohmann::json binding = {};       ///< Binding::describe
  nlohmann::json plugins = {};       ///< reports of selectors and regularisers, in their order; null without any
  nlohmann::json to_json() const;
};

struct TrainResult {
  Evaluation best, last;
  std::vector<Evaluation> evaluations;
  RowOutcomes best_rows, last_rows;    ///< behind `best` and `last`
  Weights last_weights, best_weights;  ///< all parts
  at::Tensor coordinates;              ///< z at the end; undefined in full space
  at::Tensor best_coordinates;         ///< z of the best evaluation
  TrainReport report;
  double step_seconds = 0;  ///< mean over the steps of this process, without evaluations
};

/// Trains, evaluates, keeps best and last, and resumes from the newest valid checkpoint in `work`, bit for bit. Metrics are appended to
/// `work`/metrics.jsonl. @throws Diverged on a non-finite loss, with step and row numbers; Error(run) when a mask never met a gradient;
/// Error(user) when a scope, or those that selectors gave, leave everything trained; Error(interrupt) after a checkpoint.
TrainResult train(TrainJob job);

}  // namespace tsrun
