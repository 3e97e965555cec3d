#pragma once

#include "tsrun/tune/subspace.h"

namespace tsrun::fastfood {

/// DID of Aghajanyan, Gupta, Zettlemoyer (ACL 2021): a random subspace by Fastfood transforms (Le, Sarlós, Smola, ICML 2013), as Li et al.
/// (ICLR 2018) use them to measure intrinsic dimension.
class Method final : public SubspaceMethod {
 public:
  std::string name() const override { return "fastfood"; }
  std::string doc() const override { return "A Fastfood random subspace (DID), regenerated from its key and never stored."; }
  int version() const override { return 2; }
  OptionTable options() const override;
  std::unique_ptr<Subspace> discover(const SubspaceInputs& inputs, const Options& options) const override;
  std::unique_ptr<Subspace> load(const std::filesystem::path& folder, const ParameterSet& parameters) const override;
};

}  // namespace tsrun::fastfood
