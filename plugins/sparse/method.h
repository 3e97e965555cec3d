#pragma once

#include "tsrun/tune/subspace.h"

namespace tsrun::sparse {

/// The sparse projection of Li, Farkhoor, Liu, Yosinski (ICLR 2018): a very sparse random matrix (Li, Hastie, Church, KDD 2006) with
/// columns of length one.
class Method final : public SubspaceMethod {
 public:
  std::string name() const override { return "sparse"; }
  std::string doc() const override { return "A very sparse random subspace with unit columns, regenerated from its key and never stored."; }
  int version() const override { return 1; }
  OptionTable options() const override;
  std::unique_ptr<Subspace> discover(const SubspaceInputs& inputs, const Options& options) const override;
  std::unique_ptr<Subspace> load(const std::filesystem::path& folder, const ParameterSet& parameters) const override;
};

}  // namespace tsrun::sparse
