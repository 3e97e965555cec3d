#include "tsrun/tune/binding.h"

#include "tsrun/base/error.h"

#include <ATen/ATen.h>

#include <cmath>

namespace tsrun {
namespace {

/// The last difference of the trajectory as float32.
at::Tensor last_difference(const Trajectory& trajectory) {
  const Rows rows = trajectory.differences();
  at::Tensor flat = at::zeros({rows.columns}, at::kFloat);
  std::vector<double> coefficients(rows.data.size(), 0.0);
  coefficients.back() = 1;
  add_combination(rows, coefficients, {flat.data_ptr<float>(), static_cast<size_t>(rows.columns)});
  return flat;
}

}  // namespace

std::vector<std::string> travel_warnings(const Subspace& subspace, const Trajectory& trajectory, double lr, int64_t steps) {
  const ParameterSet& set = subspace.parameters();
  if (const auto difference = first_difference(set.layout, trajectory.layout()))
    data_error("subspace and trajectory differ: {}", *difference);
  std::vector<std::string> warnings;
  if (trajectory.size() == 0) return warnings;
  const at::Tensor update = last_difference(trajectory);
  const at::Tensor coordinates = subspace.project(at::zeros({subspace.dim()}, at::kFloat), update).abs();
  const auto offsets = coordinate_offsets(subspace.dims());
  const double reach = lr * static_cast<double>(steps) / 2;
  for (size_t g = 0; g < set.groups.size(); ++g) {
    if (subspace.dims()[g] == 0) continue;
    const Group& group = set.groups[g];
    const double needed = coordinates.narrow(0, offsets[g], subspace.dims()[g]).max().item<double>();
    if (needed <= reach) continue;
    warnings.push_back(fmt::format(
        "{}: the recorded update has length {:.3g} and its largest coordinate is {:.3g}, but with lr {:g} over {} steps a coordinate can "
        "travel about {:.3g}; raise lr_subspace or the number of epochs",
        group.name, update.narrow(0, group.begin, group.size()).norm().item<double>(), needed, lr, steps, reach));
  }
  return warnings;
}

}  // namespace tsrun
