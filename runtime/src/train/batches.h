#pragma once

#include "tsrun/data/batch.h"

#include <cstdint>
#include <vector>

namespace tsrun::training {

/// Rows of a split for evaluation: sorted by length (ties by row), so that batches are even, and cut into batches whose judged tokens fit
/// into `scores` numbers when each has `outputs` of them. What comes of a row does not depend on its neighbours.
std::vector<std::vector<int64_t>> evaluation_batches(const EncodedSplit& split, int64_t outputs);

/// The same where rows continue each other, in streams (train/streams.h): 10, as the reference of AWD-LSTM evaluates, or fewer where so
/// many rows are too large.
std::vector<std::vector<int64_t>> evaluation_streams(const EncodedSplit& split, int64_t outputs);

/// Tokens of `row` that have a target; 1 where rows are judged.
int64_t judged_tokens(const EncodedSplit& split, int64_t row);

}  // namespace tsrun::training
