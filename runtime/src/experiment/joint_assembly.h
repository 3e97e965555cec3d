#pragma once

#include "experiment/joint_request.h"
#include "experiment/joint_solutions.h"
#include "tsrun/train/joint_tasks.h"

#include <vector>

namespace tsrun::experiment {

/// Inputs of the method, and the records written beside its decoders.
struct Assembly {
  JointInputs inputs;
  std::vector<MemberModels> member_models;
  std::vector<Task> tasks;                 ///< in the form that suits the model
  std::vector<JointMemberRecord> records;  ///< one a member
};

/// Loads everything that the request names. @throws Error(user) where solutions of one member started from different weights
Assembly assemble(Lab& lab, const JointRequest& request, int64_t seed);

}  // namespace tsrun::experiment
