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

/// The methods that the linked plugin registers.
const std::vector<std::unique_ptr<SubspaceMethod>>& subspace_methods();
const SubspaceMethod& subspace_method(const std::string& name);

/// Made-up calibration over a layout: row r's loss is ½ δᵀ H δ + s_rᵀ δ with δ = θ − θ0. In every group H has the eigenvalues 8, 4, 2, 1
/// with known directions, and zero besides.
class QuadraticProbe final : public Probe {
 public:
  QuadraticProbe(ParameterSet parameters, at::Tensor origin);
  int64_t rows() const override { return 40; }
  std::vector<std::vector<int64_t>> ids(int64_t row) override { return {{row}}; }
  HiddenStates hidden(const Weights& weights, std::span<const int64_t> rows, int layer) override;  ///< none
  LabelStates label_states(const Weights& weights, std::span<const int64_t> rows) override;        ///< none
  LossAndGradient loss_and_gradient(const Weights& weights, std::span<const int64_t> rows, std::optional<Key> dropout) override;
  at::Tensor slope(int64_t row) const;        ///< s_r, float32 [total]
  at::Tensor directions(size_t group) const;  ///< eigenvectors, float32 [4, size of the group]
  static constexpr double eigenvalues[] = {8, 4, 2, 1};

 private:
  ParameterSet parameters_;
  at::Tensor origin_;
  std::vector<at::Tensor> directions_;
};

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
  QuadraticProbe& probe() const { return *probe_; }

 private:
  std::filesystem::path root_;
  ParameterSet parameters_;
  at::Tensor origin_;
  Weights weights_;  ///< the origin by name
  std::unique_ptr<QuadraticProbe> probe_;
  std::unique_ptr<Trajectory> trajectory_;
};

/// Resolves `options` against the method's table and discovers.
std::unique_ptr<Subspace> discover(const SubspaceMethod& method, const SmallInputs& inputs,
                                   const nlohmann::json& options = nlohmann::json::object(), uint64_t seed = 1);

/// V with one row per coordinate, [dim, total], by expanding unit vectors; of a map that is not linear, what they add to zero's update.
at::Tensor materialise(const Subspace& subspace);

}  // namespace tsrun::plugin_testing
