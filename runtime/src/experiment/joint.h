#pragma once

#include "experiment/handles.h"
#include "tsrun/tune/joint.h"

#include <string>
#include <vector>

/// What a joint space is made of, and the file that remembers it.
namespace tsrun {

/// solutions.json in a joint space's artifact: whose solutions it was made of, and the start that its decoders add to.
inline constexpr const char* kSolutionsFile = "solutions.json";

/// A member as a recipe names it. `solutions[t]` are those of the request's task t, in the order given.
struct JointRequestMember {
  std::string name, which;
  nlohmann::json model, parameters;
  std::vector<std::vector<nlohmann::json>> solutions;  ///< handles; empty: none
};

struct JointRequest {
  std::vector<JointRequestMember> members;
  std::vector<nlohmann::json> tasks;  ///< handles
  std::vector<nlohmann::json> heads;  ///< handles of trainings, one a task in their order; empty: each solution's own
};

/// Checks what can be checked without reading an artifact. `members`, `tasks` and `heads` as ts.decompose takes them.
/// @throws Error(user) for members of other models or with other tasks, for solutions that kept no weights
JointRequest joint_request(const nlohmann::json& members, const nlohmann::json& tasks, const nlohmann::json& heads);
/// Identities of everything in it, for a stage key.
nlohmann::json key_of(const JointRequest& request);

/// The groupless parameter set of a member.
ParameterSet joint_parameters(Lab& lab, const JointRequestMember& member);

/// Of a basis inside a joint artifact: θ0 of `model` must be the start that its decoder was learnt around. Anything else: no check.
/// @throws Error(user) naming both hashes, Error(data) when the artifact's list does not know the basis
void check_joint_start(Lab& lab, const nlohmann::json& basis, const Subspace& subspace, const Model& model);

}  // namespace tsrun
