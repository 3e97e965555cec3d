#pragma once

#include "tsrun/data/batch.h"
#include "tsrun/model/weights.h"

#include <cstdint>
#include <vector>

namespace tsrun::training {

/// `what`: "loss". @throws Diverged naming step (from 0 here, from 1 in the message), rows, and the weight to blame where there is one
void require_finite_step(const char* what, double value, int64_t step, const Weights& weights, const EncodedSplit& split,
                         const std::vector<std::vector<int64_t>>& micro_batches);

}  // namespace tsrun::training
