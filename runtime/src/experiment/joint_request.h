#pragma once

#include "experiment/initial_weights.h"
#include "tsrun/tune/joint_method.h"

#include <string>
#include <vector>

/// The request of ts.decompose.
namespace tsrun::experiment {

/// `solutions[t]` are those of the request's task t, in the order given.
struct JointRequestMember {
  std::string name, which;
  ModelRef model;
  nlohmann::json parameters;                        ///< as `parse_selection` reads them; null: those of the model's deltas
  std::vector<std::vector<TrainingRef>> solutions;  ///< empty: none
};

struct JointRequest {
  std::vector<JointRequestMember> members;
  std::vector<TaskRef> tasks;
  std::vector<TrainingRef> heads;  ///< one a task in their order; empty: each solution's own

  /// Identities of everything in it, for a stage key.
  nlohmann::json to_key() const;
  StepsByTraining rests_on() const;  ///< of its solutions and heads
};

/// Checks everything that needs no artifact. `members`, `tasks` and `heads` as ts.decompose takes them.
/// @throws Error(user) for members of other models or with other tasks, for solutions that kept no weights
JointRequest joint_request(const nlohmann::json& members, const nlohmann::json& tasks, const nlohmann::json& heads);

/// The groupless parameter set of a member.
ParameterSet joint_parameters(Lab& lab, const JointRequestMember& member);

}  // namespace tsrun::experiment
