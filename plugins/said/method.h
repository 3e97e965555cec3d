#pragma once

#include "tsrun/tune/subspace.h"

namespace tsrun::said {

/// SAID of Aghajanyan, Gupta, Zettlemoyer (ACL 2021): a Fastfood subspace whose tensors or layers have trained scales, out of the budget d.
class Method final : public SubspaceMethod {
 public:
  std::string name() const override { return "said"; }
  std::string doc() const override {
    return "A Fastfood random subspace with a trained scale for every tensor or layer (SAID), regenerated from its key.";
  }
  int version() const override { return 1; }
  OptionTable options() const override;
  std::unique_ptr<Subspace> discover(const SubspaceInputs& inputs, const Options& options) const override;
  std::unique_ptr<Subspace> load(const std::filesystem::path& folder, const ParameterSet& parameters) const override;
};

}  // namespace tsrun::said
