#pragma once

#include "tsrun/tune/selector.h"

namespace tsrun::gradient_mask {

/// Gradient-mask tuning (Li et al. 2024, arXiv 2406.15330): with Γ the mean of the gradients of a step's micro-batches, the step updates
/// the elements of largest |Γ| alone.
class GradientMaskTuning final : public SelectorMethod {
 public:
  std::string name() const override { return "gradient_mask_tuning"; }
  std::string doc() const override { return "Updates in each step the elements of largest gradient of this very step."; }
  int version() const override { return 2; }
  OptionTable options() const override;
  Wants wants(const Options& options) const override;
  std::unique_ptr<Selector> make(const MethodInputs& inputs, const Options& options) const override;
};

}  // namespace tsrun::gradient_mask
