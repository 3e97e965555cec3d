#pragma once

#include "experiment/handles.h"

#include <string>
#include <vector>

/// How a training begins, and how another stage finds the same beginning again.
namespace tsrun {

/// A model's handle, what draws its fresh values, and what is taken from another training.
struct Start {
  nlohmann::json model;  ///< handle
  int64_t seed = 1;
  bool fresh = false;               ///< random weights in place of the pre-trained ones
  nlohmann::json origin = nullptr;  ///< {solution, which, parts}, resolved; null: nothing is taken

  /// What the handle of a training says of its own.
  static Start of(const nlohmann::json& solution);
};

/// {solution, which, parts} of `origin = {…}`.
OptionTable origin_options();
/// Resolved; null stays null. @throws Error(user) naming `where`
nlohmann::json resolved_origin(const nlohmann::json& given, const std::string& where);
/// The same with the identity of its solution, for a stage key.
nlohmann::json origin_key(const nlohmann::json& origin);
/// @throws Error(user) for a part that no model has, naming `where`
void check_parts(const std::vector<std::string>& parts, const std::string& where);

/// θ0 of every weight, for a task.
Setting starting_setting(Lab& lab, const nlohmann::json& task, const Start& start);
/// Replaces the weights of `parts` by another training's. Only they must be there, so the two models may differ in everything else.
/// @throws Error(user) naming a weight that the training lacks or has in another shape
void take_parts(Lab& lab, Model& model, const nlohmann::json& solution, const std::string& which, const std::vector<std::string>& parts);

/// sha256 of a flat start's bytes.
std::string digest_of_start(const at::Tensor& flat);

}  // namespace tsrun
