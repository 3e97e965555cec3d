#pragma once

#include "tsrun/tune/parameter_set.h"

#include <ATen/core/Tensor.h>
#include <nlohmann/json.hpp>

namespace tsrun::experiment {

/// |u − mean| along the positions of each group, reduced to the maximum of each of at most `blocks` blocks, with mean and σ:
/// [{"group", "size", "mean", "sigma", "positions": […], "values": […]}]. Data of a figure of outliers.
nlohmann::json update_profile(const at::Tensor& update, const ParameterSet& set, int64_t blocks = 1000);

}  // namespace tsrun::experiment
