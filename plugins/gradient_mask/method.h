#pragma once

#include "tsrun/tune/selector.h"

namespace tsrun::gradient_mask {

/// A static mask by the salience of calibration rows at the weights before training: the static baseline of Liu et al. (2024, "Refining
/// salience-aware sparse fine-tuning strategies for language models", arXiv 2412.13488), and what dynamic masks have to beat.
class Method final : public SelectorMethod {
 public:
  std::string name() const override { return "gradient_mask"; }
  std::string doc() const override {
    return "Trains the elements of largest gradient (or Fisher information, or magnitude times gradient) on rows of the task, chosen once.";
  }
  int version() const override { return 2; }
  OptionTable options() const override;
  Wants wants(const Options& options) const override;
  std::optional<Choice> choose(const MethodInputs& inputs, const Options& options) const override;
};

}  // namespace tsrun::gradient_mask
