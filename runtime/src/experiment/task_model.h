#pragma once

#include "experiment/artifacts.h"
#include "tsrun/data/task.h"
#include "tsrun/experiment/lab.h"
#include "tsrun/model/model.h"
#include "tsrun/tune/delta.h"

#include <memory>
#include <string>
#include <vector>

/// Tasks and models that handles name, loaded.
namespace tsrun::experiment {

/// A folder's task or builtin:<name>, as "itself" or as "text_to_text", with its words as `words` says.
Task named_task(const std::string& specification, const std::string& as, const WordControl& words);
/// @throws Error(data) when its files have changed since the handle was made
Task task_of(const TaskRef& ref);
/// Without its deltas. @throws Error(data) when its files have changed since the handle was made
Model model_of(const ModelRef& ref, const HeadSpec& head, Key key);
/// The methods, attached to `family`.
std::vector<std::shared_ptr<const Delta>> attached(const PluginHost& plugins, const std::vector<DeltaRef>& deltas, const Family& family);
/// The family of a model for a head, without its deltas and with them.
std::shared_ptr<const Family> plain_family(const ModelRef& ref, const HeadSpec& head);
std::shared_ptr<const Family> family_of(const PluginHost& plugins, const ModelRef& ref, const HeadSpec& head);
/// Attaches deltas to a model that was loaded without them, one behind the other. The tensors of each are initialised from the delta's own
/// seed if it has one, else from `key`, and from the model's weights as they are then; and read from its folder if it names one.
void attach_deltas(const PluginHost& plugins, const std::vector<DeltaRef>& deltas, Model& model, Key key);
/// Weights of a model without a head, with its deltas' initial values for trainings under `seed`.
Weights starting_weights(const PluginHost& plugins, const ModelRef& ref, int64_t seed);

/// A task in the form that suits a model, and the model with its deltas and with the head of the task, initialised from `key`.
struct TaskModel {
  Task task;
  Model model;
  std::vector<std::string> trained_parameters;  ///< parameters of the plain model that its deltas train
  std::vector<std::string> reinitialised = {};  ///< parameters that were drawn anew in place of pre-trained ones
};
/// The model without its deltas yet: `attach_deltas` under `key.split("delta")` makes it what `task_model_of` gives.
TaskModel plain_task_model_of(const PluginHost& plugins, const TaskRef& task, const ModelRef& model, Key key);
TaskModel task_model_of(const PluginHost& plugins, const TaskRef& task, const ModelRef& model, Key key);

}  // namespace tsrun::experiment
