#pragma once

#include "tsrun/tune/subspace.h"

namespace tsrun::gradient_svd {

/// A basis from a task's first gradients at θ0: their leading directions, group by group, or frames of the first step's matrices as LoRA-SB
/// has them.
class Method final : public SubspaceMethod {
 public:
  std::string name() const override { return "gradient_svd"; }
  std::string doc() const override { return "The leading directions of a task's first gradients, taken before any training."; }
  int version() const override { return 4; }  // its stage tells the rows whose gradients it took
  bool needs_probe() const override { return true; }
  OptionTable options() const override;
  std::unique_ptr<Subspace> discover(const SubspaceInputs& inputs, const Options& options) const override;
  std::unique_ptr<Subspace> load(const std::filesystem::path& folder, const ParameterSet& parameters) const override;
};

}  // namespace tsrun::gradient_svd
