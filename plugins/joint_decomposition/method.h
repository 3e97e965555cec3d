#pragma once

#include "tsrun/tune/joint_method.h"

namespace tsrun::joint_decomposition {

/// One space of d numbers in which an adapter, a LoRA and a prefix (any members) are the same vector (Yi et al., "Different Tunes Played
/// with Equal Skill", Findings of EMNLP 2022, arXiv 2210.13311): encoders N → d and decoders d → N, trained so that mixtures of the
/// members' codes do the task whichever member decodes them.
class Method final : public JointMethod {
 public:
  std::string name() const override { return "joint_decomposition"; }
  std::string doc() const override {
    return "One small space that decodes into several delta methods, learnt from their solutions: a code of one method also works for the "
           "others.";
  }
  int version() const override { return 1; }
  OptionTable options() const override;
  std::unique_ptr<Subspace> load(const std::filesystem::path& folder, const ParameterSet& parameters) const override;

  bool needs_solutions(const Options& options) const override { return options.text("fit") != "random"; }
  bool needs_tasks(const Options& options) const override { return options.text("fit") == "train"; }
  JointResult decompose(const JointInputs& inputs, const Options& options) const override;
};

}  // namespace tsrun::joint_decomposition
