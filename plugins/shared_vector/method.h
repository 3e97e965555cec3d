#pragma once

#include "tsrun/tune/joint_method.h"

namespace tsrun::shared_vector {

/// One trained vector from which several tunings of a model are made (Yi et al., Findings of EMNLP 2022, the scheme of its release that
/// includes fine-tuning).
class Method final : public JointMethod {
 public:
  std::string name() const override { return "shared_vector"; }
  std::string doc() const override { return "One vector and a map from it to each member's weights, trained together on tasks."; }
  int version() const override { return 2; }  // gradients of several tasks in a batch are added in another order
  OptionTable options() const override;
  std::unique_ptr<Subspace> load(const std::filesystem::path& folder, const ParameterSet& parameters) const override;
  bool needs_solutions(const Options& /*options*/) const override { return false; }
  bool needs_tasks(const Options& options) const override { return options.text("fit") == "train"; }
  JointResult decompose(const JointInputs& inputs, const Options& options) const override;
};

}  // namespace tsrun::shared_vector
