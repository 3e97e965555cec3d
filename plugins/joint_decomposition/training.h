#pragma once

#include "settings.h"

#include "tsrun/tune/joint_method.h"

#include <chrono>

namespace tsrun::joint_decomposition {

/// Trains encoders and decoders over the tasks' batches and returns the state with the best dev scores at the points asked for.
///
/// The state is saved into `inputs.work` when `save_after` has passed since the last time (and saving has taken less than a twentieth of
/// the time since), and when an interrupt ends it; a second call goes on from there, bit for bit.
JointResult train(const JointInputs& inputs, const Settings& settings, std::chrono::milliseconds save_after = std::chrono::seconds(60));

}  // namespace tsrun::joint_decomposition
