#pragma once

#include "experiment/artifacts.h"

#include <memory>

/// Handles of trainings, and of what is made of them.
namespace tsrun::experiment {

struct TrainingRef;

/// Weights of other trainings, as initial weights: those of one, or the mean of several.
struct Origin {
  std::vector<std::shared_ptr<const TrainingRef>> solutions;
  std::string which;               ///< weights of each solution: last, best, mean
  std::vector<std::string> parts;  ///< parts of the model that are copied

  static Origin from_json(const nlohmann::json& resolved);
  nlohmann::json to_json() const;
  /// The same with the identities of its solutions, for a stage key.
  nlohmann::json identity() const;
};

/// A training of ts.train, or what stands for one (ts.low_rank).
struct TrainingRef : ArtifactRef {
  TaskRef task;
  ModelRef model;
  int64_t seed = 1;
  std::string keep;                         ///< kept weights: all, last, none
  bool fresh = false;                       ///< started from random weights
  std::optional<Origin> origin;             ///< initial weights beside the model's
  int64_t reinit_layers = 0;                ///< layers from the top that were drawn anew before it
  std::optional<ArtifactRef> subspace;      ///< of its layers; nothing: full space
  std::optional<TrajectoryRef> trajectory;  ///< recorded during the training
  StepsByTraining rests_on;                 ///< trainings behind its inputs
  int64_t steps = 0;                        ///< its own, once it is computed; also among the facts
  double best = 0, last = 0;                ///< scores; also among the facts
  std::optional<int64_t> coordinates;       ///< in its subspace, once it is computed

  /// Whether it began with anything but its model's weights and new parameters.
  bool edits_start() const { return fresh || origin || reinit_layers > 0; }
  /// Whether it kept its weights "last", "best" or "mean", as far as its options say.
  bool kept(const std::string& which) const {
    if (which == "mean") return trajectory.has_value();  // of what was recorded
    return keep == "all" || (keep == "last" && which == "last");
  }
  double score(const std::string& which) const { return which == "best" ? best : last; }

  static TrainingRef from_json(const nlohmann::json& handle);
  nlohmann::json to_json() const;
};

/// Trainings in a list that a recipe gave. @throws Error(user) naming `where`
std::vector<TrainingRef> trainings_in(const nlohmann::json& list, const std::string& where);
/// @throws Error(user) naming `where`: the training kept no such weights, and what makes it keep them
[[noreturn]] void fail_not_kept(const TrainingRef& solution, const std::string& which, const std::string& where);
/// @throws Error(user) as `fail_not_kept`, as far as the training's options say so
void require_kept(const TrainingRef& solution, const std::string& which, const std::string& where);
/// Steps of `training` and of what it rests on.
StepsByTraining with_own_steps(const TrainingRef& training);
/// Adds to the handle of a result the steps that it rests on: "rests_on" by training and "steps_before" in all; nothing where there are
/// none.
void put_steps(nlohmann::json& handle, const StepsByTraining& rests_on);
/// Adds `gradient_rows` of an artifact's facts, if there are any.
void add_gradient_steps(StepsByTraining& rests_on, const std::string& key, const nlohmann::json& facts);

/// A mask of ts.outliers or ts.mask.
struct MaskRef : ArtifactRef {
  TrainingRef solution;       ///< the training whose update was masked
  nlohmann::json parameters;  ///< of the update, as `parse_selection` reads them

  static MaskRef from_json(const nlohmann::json& handle);
  nlohmann::json to_json() const;
};

}  // namespace tsrun::experiment
