#pragma once

#include "tsrun/tune/joint_method.h"

namespace tsrun::joint_decomposition {

/// |δ − decode(code)| / |δ| of the first solution of each task, by member, for codes as in JointResult. 0 where δ is 0.
nlohmann::json reconstruction_errors(const JointInputs& inputs, const std::vector<std::unique_ptr<Subspace>>& decoders,
                                     const at::Tensor& codes);

/// Name, length and file layout of every member, and whether lengths are equal.
nlohmann::json member_facts(const JointInputs& inputs);

/// The first solution of every task.
std::vector<const float*> first_solutions(const JointMember& member);

}  // namespace tsrun::joint_decomposition
