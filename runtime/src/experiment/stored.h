#pragma once

#include "experiment/training_ref.h"
#include "tsrun/experiment/lab.h"
#include "tsrun/model/model.h"
#include "tsrun/tune/mask.h"
#include "tsrun/tune/scope.h"
#include "tsrun/tune/subspace.h"
#include "tsrun/tune/trajectory.h"

#include <filesystem>
#include <memory>
#include <string>

/// Artifacts that handles name, read from the store. @throws Error(data) from all of them, for an artifact that is not there or not whole
namespace tsrun::experiment {

std::filesystem::path folder_of(Lab& lab, const ArtifactRef& ref);
Trajectory trajectory_of(Lab& lab, const TrajectoryRef& ref);
/// Coordinates [dim] of a training within a subspace; `which`: "last" or "best". @throws Error(data)
at::Tensor coordinates_of(Lab& lab, const TrainingRef& training, const std::string& which);
/// A subspace's folder, wherever it lies.
std::shared_ptr<const Subspace> subspace_in(const PluginHost& plugins, const std::filesystem::path& folder);
std::shared_ptr<const Subspace> subspace_of(Lab& lab, const ArtifactRef& ref);
std::shared_ptr<const Mask> mask_of(Lab& lab, const MaskRef& ref);
Scope scope_of(Lab& lab, const ScopeRef& ref);

/// The file of a training's weights: `which` is "last", "best" or "mean". @throws Error(user) when the training did not keep them
std::filesystem::path solution_file(Lab& lab, const TrainingRef& training, const std::string& which);
Weights solution_weights(Lab& lab, const TrainingRef& training, const std::string& which, const Family& family);
/// The same in the place of `model`'s own, with the constants of its deltas that the training had.
Weights weights_with_solution(Lab& lab, const TrainingRef& training, const std::string& which, const Model& model);

/// The weights of `model` without the constants of its deltas.
Weights parameters_in(const Model& model);
/// Constants of `model`'s deltas, written beside a training's weights: they may be made of weights that its seed drew (a new pooler).
void save_constants(const Model& model, const std::filesystem::path& folder);
/// Puts those of `folder`, where there are any, into `weights`.
void take_constants(const std::filesystem::path& folder, Weights& weights);

/// The flat update that a training made: V z for a subspace, θ_last − θ0 over `set` otherwise; float32 [set.layout.total()].
at::Tensor update_of(Lab& lab, const TrainingRef& training, const ParameterSet& set, const Family& family, const Weights& origin);

}  // namespace tsrun::experiment
