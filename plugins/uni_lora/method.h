#pragma once

#include "tsrun/tune/subspace.h"

namespace tsrun::uni_lora {

/// Uni-LoRA (Li et al., NeurIPS 2025): all of LoRA's factors are one vector, which d numbers span by a random isometry with one entry a
/// row.
class Method final : public SubspaceMethod {
 public:
  std::string name() const override { return "uni_lora"; }
  std::string doc() const override {
    return "A random isometry with one entry a row, made for LoRA's factors (parameters = { parts = \"delta\", groups = \"whole\" }).";
  }
  int version() const override { return 2; }
  OptionTable options() const override;
  std::unique_ptr<Subspace> discover(const SubspaceInputs& inputs, const Options& options) const override;
  std::unique_ptr<Subspace> load(const std::filesystem::path& folder, const ParameterSet& parameters) const override;
};

}  // namespace tsrun::uni_lora
