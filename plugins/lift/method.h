#pragma once

#include "tsrun/tune/selector.h"

namespace tsrun::lift {

/// LIFT (Liu et al. 2025, "LIFT the veil for the truth: principal weights emerge after rank reduction", arXiv 2506.00772): of each linear
/// weight the entries of largest magnitude in its approximation of low rank, chosen again every few steps; moments of entries that stay
/// are carried over, all others start at zero.
class Method final : public SelectorMethod {
 public:
  std::string name() const override { return "lift"; }
  std::string doc() const override {
    return "Trains principal weights: the entries that are largest in a low-rank approximation of each weight.";
  }
  int version() const override { return 1; }
  OptionTable options() const override;
  Wants wants(const Options& options) const override;
  std::optional<Choice> choose(const MethodInputs& inputs, const Options& options) const override;
  std::unique_ptr<Selector> make(const MethodInputs& inputs, const Options& options) const override;
};

}  // namespace tsrun::lift
