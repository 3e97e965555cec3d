#pragma once

#include "tsrun/tune/selector.h"

namespace tsrun::dps {

/// Dynamic Parameter Selection (Zhang et al., NeurIPS 2022).
class Method final : public SelectorMethod {
 public:
  std::string name() const override { return "dps"; }
  std::string doc() const override {
    return "Gathers squared gradients for a stage and trains the elements with the largest sums in the next, in turn (DPS Dense and Mix).";
  }
  int version() const override { return 2; }
  OptionTable options() const override;
  Wants wants(const Options& options) const override;
  std::unique_ptr<Selector> make(const MethodInputs& inputs, const Options& options) const override;
};

}  // namespace tsrun::dps
