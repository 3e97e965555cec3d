#pragma once

#include "tsrun/model/family.h"

#include <vector>

namespace tsrun::layer_schedules {

/// Of every layer, the share of its matrices' entries whose magnitude exceeds `factor` times the mean magnitude of their matrix.
std::vector<double> outlier_shares(const Family& family, const Weights& weights, double factor);

}  // namespace tsrun::layer_schedules
