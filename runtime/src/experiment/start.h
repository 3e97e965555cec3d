#pragma once

#include "experiment/setting.h"
#include "experiment/training_ref.h"

#include <optional>
#include <string>
#include <vector>

/// How a training begins, and how another stage finds the same beginning again.
namespace tsrun {

/// Initial weights of a training: its model, the seed of new parameters, and parts copied from another training.
struct Start {
  ModelRef model;
  int64_t seed = 1;
  bool fresh = false;  ///< random weights in place of the pre-trained ones
  std::optional<Origin> origin = {};

  static Start of(const TrainingRef& training);
};

/// {solution, which, parts} of `origin = {…}`.
OptionTable origin_options();
/// Nothing for null. @throws Error(user) naming `where`
std::optional<Origin> resolved_origin(const nlohmann::json& given, const std::string& where);
/// @throws Error(user) for a part that no model has, naming `where`
void check_parts(const std::vector<std::string>& parts, const std::string& where);

/// θ0 of every weight, for a task.
Setting starting_setting(Lab& lab, const TaskRef& task, const Start& start);
/// Replaces the weights of the origin's parts by another training's. Only they must be there, so the two models may differ in everything
/// else. @throws Error(user) naming a weight that the training lacks or has in another shape
void take_parts(Lab& lab, Model& model, const TrainingRef& solution, const std::string& which, const std::vector<std::string>& parts);

/// sha256 of a flat start's bytes.
std::string digest_of_start(const at::Tensor& flat);

}  // namespace tsrun
