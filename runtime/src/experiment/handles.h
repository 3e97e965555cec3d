#pragma once

#include "tsrun/data/task.h"
#include "tsrun/experiment/lab.h"
#include "tsrun/model/model.h"
#include "tsrun/tune/delta.h"
#include "tsrun/tune/mask.h"
#include "tsrun/tune/subspace.h"
#include "tsrun/tune/trajectory.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

/// What a recipe holds, {"artifact": kind, "key": digest, …}, turned back into what the rooms need.
namespace tsrun {

/// {"artifact", "key"} (and where it lies: "stage", "inside") alone: what identifies a handle in a stage key. null stays null.
nlohmann::json identity(const nlohmann::json& handle);

/// Folder of the artifact that a handle names. @throws Error(data)
std::filesystem::path folder_of(Lab& lab, const nlohmann::json& handle);

/// A folder's task or builtin:<name>, as "itself" or as "text_to_text".
Task named_task(const std::string& specification, const std::string& as);
Task task_of(const nlohmann::json& handle);
Model model_of(const nlohmann::json& handle, const HeadSpec& head, Key key);
/// The delta methods that a model's handle names, attached to `family`; none for a plain model.
std::vector<std::shared_ptr<const Delta>> deltas_of(const PluginHost& plugins, const nlohmann::json& handle, const Family& family);
/// The family of a model's handle, for a head; without its deltas, and with them.
std::shared_ptr<const Family> plain_family(const nlohmann::json& handle, const HeadSpec& head);
std::shared_ptr<const Family> family_of(const PluginHost& plugins, const nlohmann::json& handle, const HeadSpec& head);
/// Puts a handle's deltas into a model that was loaded without them; first values under `key`, or as a training with the delta's own seed
/// would draw them, where ts.adapt was given one.
void attach_deltas(const PluginHost& plugins, const nlohmann::json& handle, Model& model, Key key);

/// A task in the form that suits a model, and the model with its deltas and with the head that the task asks for, fresh under `key`.
struct Setting {
  Task task;
  Model model;
  std::vector<std::string> trained_parameters;  ///< of the model itself, as its deltas ask
};
Setting setting_of(Lab& lab, const nlohmann::json& task, const nlohmann::json& model, Key key);
Trajectory trajectory_of(Lab& lab, const nlohmann::json& handle);
std::shared_ptr<const Subspace> subspace_of(Lab& lab, const nlohmann::json& handle);
std::shared_ptr<const Mask> mask_of(Lab& lab, const nlohmann::json& handle);

/// The file of a training's weights. @throws Error(user) when the training did not keep them.
std::filesystem::path solution_file(Lab& lab, const nlohmann::json& handle, const std::string& which);
/// The weights of a training: `which` is "last", "best" or "mean". @throws Error(user) when the training did not keep them.
Weights solution_weights(Lab& lab, const nlohmann::json& handle, const std::string& which, const Family& family);

/// The flat update a training made: V z for a subspace, θ_last − θ0 over `set` otherwise; float32 [set.layout.total()].
at::Tensor update_of(Lab& lab, const nlohmann::json& solution, const ParameterSet& set, const Family& family, const Weights& origin);

}  // namespace tsrun
