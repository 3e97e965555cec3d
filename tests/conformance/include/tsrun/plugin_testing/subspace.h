#pragma once

#include "tsrun/plugin/plugin.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

/// What every subspace must keep, as tests. Link a plugin's sources and tsrun::plugin_testing into one program (its main is in the
/// library): every method that TSRUN_PLUGIN registers is tried with the options that `add_subspace_case` lists, or with none.
///
///     const bool added = tsrun::plugin_testing::add_subspace_case("my_subspace", {{"dim", 4}});
namespace tsrun::plugin_testing {

/// Another set of options under which `method` must pass. Call it before main (from an initialiser). Always true.
bool add_subspace_case(const std::string& method, const nlohmann::json& options);

/// The same for a joint method, with options under which it needs no tasks: its decoders must keep what subspaces keep.
bool add_joint_case(const std::string& method, const nlohmann::json& options);

/// The methods that the linked plugin registers.
const std::vector<std::unique_ptr<SubspaceMethod>>& subspace_methods();
const SubspaceMethod& subspace_method(const std::string& name);
const std::vector<std::unique_ptr<JointMethod>>& joint_methods();
const JointMethod& joint_method(const std::string& name);

/// Inputs of a small made-up model: two layers of a few thousand weights in `layer` groups, an origin, and a trajectory of `points` points
/// that drifts and decays as training does. Files live in a temporary folder that is removed with the object.
class SmallInputs {
 public:
  explicit SmallInputs(int64_t points = 6, RowType type = RowType::float32);
  ~SmallInputs();
  SmallInputs(const SmallInputs&) = delete;
  SmallInputs& operator=(const SmallInputs&) = delete;

  SubspaceInputs inputs(uint64_t seed = 1) const;  ///< refers to this object
  /// One member of the same weights in one group, with the solutions of three tasks and no tasks to train on.
  JointInputs joint_inputs(uint64_t seed = 1) const;
  std::filesystem::path folder(const std::string& name) const;  ///< a fresh empty folder
  const Trajectory& trajectory() const { return *trajectory_; }
  const ParameterSet& parameters() const { return parameters_; }
  const at::Tensor& origin() const { return origin_; }

 private:
  std::filesystem::path root_;
  ParameterSet parameters_;
  at::Tensor origin_;
  std::unique_ptr<Trajectory> trajectory_;
};

/// Resolves `options` against the method's table and discovers.
std::unique_ptr<Subspace> discover(const SubspaceMethod& method, const SmallInputs& inputs,
                                   const nlohmann::json& options = nlohmann::json::object(), uint64_t seed = 1);

/// The decoder of `joint_inputs`' one member; the options must be such that the method needs no tasks.
std::unique_ptr<Subspace> decoder(const JointMethod& method, const SmallInputs& inputs,
                                  const nlohmann::json& options = nlohmann::json::object(), uint64_t seed = 1);

/// V with one row per coordinate, [dim, total], by expanding unit vectors.
at::Tensor materialise(const Subspace& subspace);

}  // namespace tsrun::plugin_testing
