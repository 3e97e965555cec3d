#pragma once

#include "experiment/task_model.h"
#include "experiment/training_ref.h"

#include <optional>
#include <string>
#include <vector>

/// Initial weights of a training, which other stages load again.
namespace tsrun::experiment {

/// Initial weights of a training: its model, the seed of new parameters, and parts copied from another training.
struct InitialWeights {
  ModelRef model;
  int64_t seed = 1;
  bool fresh = false;  ///< random weights in place of the pre-trained ones
  std::optional<Origin> origin = {};
  int64_t reinit_layers = 0;  ///< so many layers from the top, and the pooler, are drawn anew

  static InitialWeights of(const TrainingRef& training);
};

/// {solution or solutions, which, parts} of `origin = {…}`.
OptionTable origin_options();
/// Nothing for null. @throws Error(user) naming `where`
std::optional<Origin> resolved_origin(const nlohmann::json& given, const std::string& where);
/// @throws Error(user) for a part that no model has, naming `where`
void check_parts(const std::vector<std::string>& parts, const std::string& where);

/// @throws Error(user) for more layers than `family` has
void check_reinit_layers(const Family& family, int64_t layers);
/// Draws the top `layers` layers of `model` and its pooler anew, as `Family::initial` does (Zhang et al., ICLR 2021); of an encoder-decoder
/// the decoder's are on top. Tensors of deltas stay. Names of what was drawn, in order. @throws Error(user)
/// as check_reinit_layers
std::vector<std::string> reinitialise_top(Model& model, int64_t layers, Key key);

/// θ0 of every weight, for a task.
TaskModel initial_task_model(Lab& lab, const TaskRef& task, const InitialWeights& initial);
/// Copies the weights of `parts` from another training, or the mean of several. The models may differ in every other part. @throws
/// Error(user) naming a weight that the training lacks or has in another shape
void take_parts(Lab& lab, Model& model, const std::vector<TrainingRef>& solutions, const std::string& which,
                const std::vector<std::string>& parts);

/// sha256 of the bytes of flat weights.
std::string digest_of(const at::Tensor& flat);

}  // namespace tsrun::experiment
