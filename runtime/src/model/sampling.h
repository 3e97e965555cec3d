#pragma once

#include "tsrun/model/generate.h"

#include <span>

namespace tsrun::model {

/// A token drawn under `key` from `scores` (logits of the vocabulary), by settings that `check_sampling` accepts.
int64_t sampled_token(std::span<const float> scores, const Sampling& sampling, Key key);

/// @throws Error(user) for a temperature that is not positive, a negative top_k or a top_p outside (0, 1]
void check_sampling(const Sampling& sampling);

}  // namespace tsrun::model
