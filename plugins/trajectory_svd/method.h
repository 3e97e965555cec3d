#pragma once

#include "tsrun/tune/subspace.h"

namespace tsrun::trajectory_svd {

/// The intrinsic subspace of a training trajectory (Zhang, Liu, Shao, "Fine-tuning Happens in Tiny Subspaces", ACL 2023, section 3.2).
class Method final : public SubspaceMethod {
 public:
  std::string name() const override { return "trajectory_svd"; }
  std::string doc() const override { return "The leading right singular vectors of a recorded training trajectory, group by group."; }
  int version() const override { return 2; }
  OptionTable options() const override;
  bool needs_trajectory() const override { return true; }
  std::unique_ptr<Subspace> discover(const SubspaceInputs& inputs, const Options& options) const override;
  std::unique_ptr<Subspace> load(const std::filesystem::path& folder, const ParameterSet& parameters) const override;
};

}  // namespace tsrun::trajectory_svd
