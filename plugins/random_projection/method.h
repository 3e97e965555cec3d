#pragma once

#include "tsrun/tune/subspace.h"

namespace tsrun::random_projection {

/// A randomly oriented subspace (Li et al., "Measuring the Intrinsic Dimension of Objective Landscapes", ICLR 2018; the Random baseline of
/// Zhang, Liu, Shao, ACL 2023): Gaussian columns, orthonormalised group by group.
class Method final : public SubspaceMethod {
 public:
  std::string name() const override { return "random_projection"; }
  std::string doc() const override {
    return "A randomly oriented subspace with orthonormal columns, regenerated from its key and never stored.";
  }
  int version() const override { return 1; }
  OptionTable options() const override;
  std::unique_ptr<Subspace> discover(const SubspaceInputs& inputs, const Options& options) const override;
  std::unique_ptr<Subspace> load(const std::filesystem::path& folder, const ParameterSet& parameters) const override;
};

}  // namespace tsrun::random_projection
