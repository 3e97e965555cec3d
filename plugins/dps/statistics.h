#pragma once

#include "settings.h"

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <vector>

/// Scores of stage I, and the subnetwork that follows from them.
namespace tsrun::dps {

/// What stage I gathers of one parameter.
struct Sums {
  at::Tensor squares;  ///< float32, the parameter's shape: Σ g² over the stage's steps (GAM)
  at::Tensor counts;   ///< of Mix: steps in which an element was trained (FAM), in the shape of the noise
};
using SumsByName = std::map<std::string, Sums>;

/// Adds g² to `sums`.
void add_square(at::Tensor& sums, const at::Tensor& gradient);

/// Score of every element: Σ g², of Mix divided by max(count, 1), and with long stages times exp(-count / stage steps).
at::Tensor score(const Sums& sums, const Settings& settings);

/// bool masks of the ceil(N (1 - p)) largest scores, within every parameter or over all of them.
std::map<std::string, at::Tensor> largest(const SumsByName& sums, const Settings& settings);

}  // namespace tsrun::dps
