#pragma once

#include "train/step.h"
#include "train/step_plan.h"
#include "train/step_plugins.h"
#include "train/trained_state.h"
#include "train/vocabulary.h"
#include "tsrun/train/train.h"

#include <memory>
#include <optional>

namespace tsrun::training {

/// Everything a training works with, built once from its job: rows, evaluation_set, the reached vocabulary, binding, plan, plugins and
/// stepper. Its state (values, moments, plugins, scopes) is what `save` writes.
class Session {
 public:
  /// `job` must outlive the session. @throws Error(user) when nothing is trained, or when the scope does not fit the model or the optimiser
  explicit Session(TrainJob& job);
  Session(const Session&) = delete;

  const TrainSettings& settings() const { return settings_; }
  const StepPlan& plan() const { return plan_; }
  const Binding& binding() const { return binding_; }
  std::optional<ReachReport> reach() const;  ///< nothing where distances are not known, or the optimiser is not AdamW
  nlohmann::json identity() const;           ///< what decides the training's bytes

  void compose() const { binding_.compose(); }     ///< before the first step, behind `restore`
  StepReport advance(int64_t step);                ///< makes step `step`, from 0
  Evaluation evaluation(RowOutcomes& rows) const;  ///< the evaluation set, under the present weights; without step and epoch
  Weights whole_weights() const;                   ///< a copy of the present weights, with rows that the training left out
  NamedTensors copied_values() const;              ///< of what is trained
  void take_values(const NamedTensors& values);

  void save(Checkpoint& checkpoint) const;
  void restore(const Checkpoint& checkpoint);

  /// Selectors that do nothing, and masks that meet no gradient, would pass for a method that was tried.
  /// @throws Error(user), Error(run) naming the training
  void require_acting_scope(int64_t steps) const;
  /// Without the work of the layers.
  TrainReport report(int64_t steps, int64_t tokens) const;

 private:
  std::vector<std::vector<int64_t>> rows_of(int64_t step);
  double scheduled_steps() const;    ///< sum of the schedule over the steps that the plan and the budget of passes allow
  TuneOptions tune_options() const;  ///< the job's, with the rates that its reach asks for

  TrainJob& job_;
  TrainSettings settings_;
  EncodedSplit train_;
  EvaluationSet evaluation_set_;
  std::optional<ReachedVocabulary> vocabulary_;
  const Family& family_;
  StepPlan plan_;
  Binding binding_;
  ProbedRows probed_;  ///< since the last step
  std::unique_ptr<Probe> probe_;
  StepPlugins plugins_;
  Stepper stepper_;
};

}  // namespace tsrun::training
