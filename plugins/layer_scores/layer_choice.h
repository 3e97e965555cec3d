#pragma once

#include "tsrun/tune/selector.h"

#include <string>
#include <vector>

namespace tsrun::layer_scores {

/// `layers`, `which` and `embeddings`. `what` a layer has most or least of.
OptionTable layer_options(const std::string& what);

/// The layers with the largest (`which` = most) or smallest scores; the lower layer of equals. @throws Error(user) for more layers than
/// there are
Choice choice_of_layers(const Family& family, const std::vector<double>& scores, const std::string& score, const Options& options,
                        const std::string& who);

/// `rows` and `rows_at_once` of the probe's split.
OptionTable row_options(int64_t rows, int64_t at_once);

/// Batches of rows drawn under `key`.
std::vector<std::vector<int64_t>> drawn_batches(const Probe& probe, Key key, int64_t rows, int64_t at_once);

}  // namespace tsrun::layer_scores
