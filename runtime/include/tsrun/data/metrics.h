#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tsrun {

/// Names: accuracy, f1 (class 1 of two, else macro), macro_f1, matthews, pearson, spearman.
/// `predictions` are class indices or regression values, as are `targets`. A constant side gives 0 for the correlations.
double metric(std::string_view name, std::span<const double> predictions, std::span<const double> targets);
const std::vector<std::string>& metric_names();
bool higher_is_better(std::string_view name);

/// Share of the most frequent prediction, in [0, 1]; 1 means a collapsed classifier.
double commonest_share(std::span<const double> predictions);

}  // namespace tsrun
