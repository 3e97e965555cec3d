#pragma once

#include "tsrun/tune/subspace.h"

namespace tsrun::hessian_top {

/// The leading eigenvectors of the task's Hessian at θ0 (Gur-Ari, Roberts, Dyer, 2018; Song, Ahn, Yun, ICLR 2025: a control, not the
/// subspace in which training happens).
class Method final : public SubspaceMethod {
 public:
  std::string name() const override { return "hessian_top"; }
  std::string doc() const override { return "Leading eigenvectors of a task's Hessian at the origin, group by group, by Lanczos' method."; }
  int version() const override { return 2; }  // its stage tells the rows whose gradients it took
  bool needs_probe() const override { return true; }
  OptionTable options() const override;
  std::unique_ptr<Subspace> discover(const SubspaceInputs& inputs, const Options& options) const override;
  std::unique_ptr<Subspace> load(const std::filesystem::path& folder, const ParameterSet& parameters) const override;
};

}  // namespace tsrun::hessian_top
