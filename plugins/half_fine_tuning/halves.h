#pragma once

#include "tsrun/tune/scope.h"

#include <string>

namespace tsrun::half_fine_tuning {

/// Freezes all but `share` of the modules of all layers (a matrix with its bias, or a norm), drawn at random. `granularity`: balanced
/// within each layer among attention, feed-forward and norms ("category"), within each layer ("layer"), or not at all ("model"). Where the
/// share of n modules is no whole number, a random part of the places with n modules trains one more. What is outside layers stays trained.
Scope random_half(const Family& family, double share, const std::string& granularity, Key key);

}  // namespace tsrun::half_fine_tuning
