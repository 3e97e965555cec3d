#pragma once

#include "network.h"

namespace tsrun::joint_decomposition {

/// Dev scores [member][task] at the points that are looked at; `random` only when asked for.
struct Scores {
  std::vector<std::vector<double>> own, centroid, random;
  double selected = 0;  ///< mean at the points that choose the kept state
};

/// The codes of all tasks' first solutions under every member's encoder.
std::vector<SmallMatrix> codes_of(const JointInputs& inputs, const Network& network);

/// Scores the decoders at `codes` (by member; rows are tasks), their centroid and, with `select_at = random`, a mixture drawn for `step`.
/// @throws Error(interrupt) between two tasks
Scores score_codes(const JointInputs& inputs, const Settings& settings, const Network& network, const std::vector<SmallMatrix>& codes,
                   int64_t step);

}  // namespace tsrun::joint_decomposition
