#include "tsrun/tune/reach.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

namespace tsrun {
namespace {

void require_linear(const Subspace& subspace) {
  if (!subspace.linear()) user_error("reach: the subspace is no linear map, so its coordinates have no distance to an update");
}

/// Signs of coordinates, a function of nothing: every run spreads over the same ones.
at::Tensor signs(int64_t count) {
  at::Tensor drawn = at::empty({count}, at::kFloat);
  fill_normal(Key::root(0).split("reach"), {drawn.mutable_data_ptr<float>(), static_cast<size_t>(count)}, 0, 0, 1);
  return drawn.ge(0).to(at::kFloat).mul_(2).sub_(1);
}

}  // namespace

at::Tensor last_update(const Trajectory& trajectory) {
  const Rows rows = trajectory.differences();
  at::Tensor flat = at::zeros({rows.columns}, at::kFloat);
  if (rows.data.empty()) return flat;
  std::vector<double> coefficients(rows.data.size(), 0.0);
  coefficients.back() = 1;
  add_combination(rows, coefficients, {flat.data_ptr<float>(), static_cast<size_t>(rows.columns)});
  return flat;
}

std::vector<double> group_lengths(const ParameterSet& set, const at::Tensor& update) {
  std::vector<double> lengths;
  for (const Group& group : set.groups) lengths.push_back(update.narrow(0, group.begin, group.size()).norm().item<double>());
  return lengths;
}

std::vector<double> largest_coordinates(const Subspace& subspace, const at::Tensor& update) {
  require_linear(subspace);
  const at::Tensor coordinates = subspace.project(at::zeros({subspace.dim()}, at::kFloat), update).abs();
  const auto offsets = coordinate_offsets(subspace.dims());
  std::vector<double> largest;
  for (size_t g = 0; g < subspace.dims().size(); ++g) {
    const int64_t dim = subspace.dims()[g];
    largest.push_back(dim == 0 ? 0 : coordinates.narrow(0, offsets[g], dim).max().item<double>());
  }
  return largest;
}

std::vector<double> spread_coordinates(const Subspace& subspace, const std::vector<double>& lengths) {
  require_linear(subspace);
  const ParameterSet& set = subspace.parameters();
  at::Tensor moved = at::zeros({set.layout.total()}, at::kFloat);
  subspace.expand(signs(subspace.dim()), moved);
  const std::vector<double> steps = group_lengths(set, moved);
  std::vector<double> spread;
  for (size_t g = 0; g < steps.size(); ++g) spread.push_back(subspace.dims()[g] == 0 || steps[g] == 0 ? 0 : lengths[g] / steps[g]);
  return spread;
}

}  // namespace tsrun
