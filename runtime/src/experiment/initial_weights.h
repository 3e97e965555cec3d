#pragma once

#include "experiment/task_model.h"
#include "experiment/training_ref.h"

#include <optional>
#include <string>
#include <vector>

/// Initial weights of a training, which other stages load again.
namespace tsrun {

/// Initial weights of a training: its model, the seed of new parameters, and parts copied from another training.
struct InitialWeights {
  ModelRef model;
  int64_t seed = 1;
  bool fresh = false;  ///< random weights in place of the pre-trained ones
  std::optional<Origin> origin = {};

  static InitialWeights of(const TrainingRef& training);
};

/// {solution, which, parts} of `origin = {…}`.
OptionTable origin_options();
/// Nothing for null. @throws Error(user) naming `where`
std::optional<Origin> resolved_origin(const nlohmann::json& given, const std::string& where);
/// @throws Error(user) for a part that no model has, naming `where`
void check_parts(const std::vector<std::string>& parts, const std::string& where);

/// θ0 of every weight, for a task.
TaskModel initial_task_model(Lab& lab, const TaskRef& task, const InitialWeights& initial);
/// Copies the weights of `parts` from another training. The two models may differ in every other part. @throws Error(user) naming a weight
/// that the training lacks or has in another shape
void take_parts(Lab& lab, Model& model, const TrainingRef& solution, const std::string& which, const std::vector<std::string>& parts);

/// sha256 of the bytes of flat weights.
std::string digest_of(const at::Tensor& flat);

}  // namespace tsrun
