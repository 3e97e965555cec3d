#pragma once

#include "experiment/stored.h"

#include <string>
#include <vector>

/// solutions.json in a joint space's artifact: the solutions behind it, and the initial weights that its decoders add to.
namespace tsrun::experiment {

/// A solution behind a member.
struct JointSolution {
  std::string task, task_key, key;
  int64_t seed = 1;
  double score = 0;

  nlohmann::json to_json() const;
};

/// A member of a joint space.
struct JointMemberRecord {
  std::string name;
  std::string inside;  ///< its decoder's folder in the artifact
  std::string layout;  ///< digest
  int64_t numbers = 0;
  std::string model;  ///< key
  std::vector<DeltaRef> deltas;
  std::string which;  ///< of the solutions' weights
  std::vector<JointSolution> solutions;
  std::string start;  ///< digest of θ0
  int64_t bytes = 0;  ///< of the decoder, as Subspace::bytes_shipped

  nlohmann::json to_json() const;
};
nlohmann::json to_json(const std::vector<JointMemberRecord>& members);

void write_joint_solutions(const std::filesystem::path& artifact, const SubspaceMaker& method, const Options& options, int64_t dim,
                           const std::vector<JointMemberRecord>& members);

/// Of a basis inside a joint artifact: θ0 of `model` must be the start that its decoder was learnt around. Anything else: no check.
/// @throws Error(user) naming both hashes, Error(data) when the artifact's list does not know the basis
void check_joint_start(Lab& lab, const ArtifactRef& basis, const Subspace& subspace, const Model& model);
/// The same of a basis of ts.discover that takes θ0 away ("start" of its summary). @throws Error(user) naming both hashes
void check_dropped_start(Lab& lab, const BasisRef& basis, const Subspace& subspace, const Model& model);

}  // namespace tsrun::experiment
