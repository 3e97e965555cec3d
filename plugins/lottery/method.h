#pragma once

#include "tsrun/tune/subspace.h"

namespace tsrun::lottery {

/// Lottery subspaces and burn-in affine subspaces (Larsen, Fort, Becker, Ganguli, "How many degrees of freedom do we need to train deep
/// networks", ICLR 2022).
class Method final : public SubspaceMethod {
 public:
  std::string name() const override { return "lottery"; }
  std::string doc() const override {
    return "Leading directions of a trajectory's increments, or random ones, through the origin or through a point of the trajectory.";
  }
  int version() const override { return 3; }
  OptionTable options() const override;
  bool needs_trajectory() const override { return true; }
  std::unique_ptr<Subspace> discover(const SubspaceInputs& inputs, const Options& options) const override;
  std::unique_ptr<Subspace> load(const std::filesystem::path& folder, const ParameterSet& parameters) const override;
};

}  // namespace tsrun::lottery
