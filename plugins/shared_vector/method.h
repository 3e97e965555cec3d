#pragma once

#include "tsrun/tune/joint.h"

namespace tsrun::shared_vector {

/// One trained vector from which several tunings of a model are made (Yi et al., Findings of EMNLP 2022, the scheme of its release that
/// includes fine-tuning); and, without training, a Fastfood subspace (Aghajanyan et al., ACL 2021).
class Method final : public SubspaceMethod, public JointMethod {
 public:
  std::string name() const override { return "shared_vector"; }
  std::string doc() const override {
    return "One vector and the maps that make every member's weights of it, trained together on tasks; without training, a Fastfood random "
           "subspace.";
  }
  int version() const override { return 1; }
  OptionTable options() const override;
  /// A Fastfood map as its key draws it, for each group's tensors from that group's `dim` coordinates.
  std::unique_ptr<Subspace> discover(const SubspaceInputs& inputs, const Options& options) const override;
  std::unique_ptr<Subspace> load(const std::filesystem::path& folder, const ParameterSet& parameters) const override;
  const JointMethod* joint() const override { return this; }
  bool needs_solutions(const Options& /*options*/) const override { return false; }
  bool needs_tasks(const Options& options) const override { return options.text("fit") == "train"; }
  JointResult decompose(const JointInputs& inputs, const Options& options) const override;
};

}  // namespace tsrun::shared_vector
