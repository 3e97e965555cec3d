#pragma once

#include "tsrun/tune/selector.h"

namespace tsrun::random_mask {

/// A uniformly random mask over the elements of each chosen tensor: the control of every method that chooses elements.
class Method final : public SelectorMethod {
 public:
  std::string name() const override { return "random_mask"; }
  std::string doc() const override { return "Trains a random share of the elements of each tensor, drawn once or again every k steps."; }
  int version() const override { return 2; }
  OptionTable options() const override;
  Wants wants(const Options& options) const override;
  std::optional<Choice> choose(const MethodInputs& inputs, const Options& options) const override;
  std::unique_ptr<Selector> make(const MethodInputs& inputs, const Options& options) const override;
};

}  // namespace tsrun::random_mask
