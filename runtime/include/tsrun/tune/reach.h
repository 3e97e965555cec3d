#pragma once

#include "tsrun/tune/subspace.h"

#include <vector>

/// Distances that coordinates must travel. Adam moves a coordinate by its learning rate a step at most, so rate, schedule and steps decide
/// whether a solution inside a subspace can be reached (tiny_subspaces, 1.11.4). Lists follow the subspace's groups; groups without
/// coordinates have distance 0. All need a linear map: @throws Error(user) for another.
namespace tsrun {

/// Last point of a trajectory less its origin, float32; zeros where it has no point.
at::Tensor last_update(const Trajectory& trajectory);

/// |update| of each group; `update` is flat, over the set's layout.
std::vector<double> group_lengths(const ParameterSet& set, const at::Tensor& update);

/// Largest |coordinate| of Vᵀ `update` in each group: the distance to an update inside the span of orthonormal columns.
std::vector<double> largest_coordinates(const Subspace& subspace, const at::Tensor& update);

/// The step a of every coordinate, in signs drawn once, that moves a group's weights by its length: |V (±a)| = length. For d orthonormal
/// columns a = length / √d. For bases that know nothing of the update, whose projection onto them says nothing.
std::vector<double> spread_coordinates(const Subspace& subspace, const std::vector<double>& lengths);

}  // namespace tsrun
