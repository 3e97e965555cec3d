#pragma once

#include "settings.h"

#include "tsrun/tune/joint.h"

#include <chrono>

namespace tsrun::joint_decomposition {

/// Trains encoders and decoders over the tasks' batches and returns the state with the best dev scores at the points asked for.
///
/// The state is saved into `inputs.work` when `save_after` has passed since the last time (and saving has taken less than a twentieth of
/// the time since), and when an interrupt ends it; a second call goes on from there, bit for bit.
JointResult train(const JointInputs& inputs, const Settings& settings, std::chrono::milliseconds save_after = std::chrono::seconds(60));

/// |δ − decode(code)| / |δ| of the first solution of each task, by member, for codes as in JointResult. 0 where δ is 0.
nlohmann::json reconstruction_errors(const JointInputs& inputs, const std::vector<std::unique_ptr<Subspace>>& decoders,
                                     const at::Tensor& codes);

/// Name, length and file layout of every member, and whether lengths are equal.
nlohmann::json member_facts(const JointInputs& inputs);

/// The first solution of every task.
std::vector<const float*> first_solutions(const JointMember& member);

}  // namespace tsrun::joint_decomposition
