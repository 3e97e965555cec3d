#pragma once

#include "tsrun/tune/regularizer.h"

namespace tsrun::adaptive_gradient_gating {

/// Adaptive gradient gating, AGG (Yu et al., ACL 2022).
class Method final : public RegularizerMethod {
 public:
  std::string name() const override { return "adaptive_gradient_gating"; }
  std::string doc() const override {
    return "Holds back the part of rare words' gradients that pushes their output vectors away from other words' contexts.";
  }
  int version() const override { return 1; }
  OptionTable options() const override;
  std::unique_ptr<Regularizer> make(const MethodInputs& inputs, const Options& options) const override;
};

}  // namespace tsrun::adaptive_gradient_gating
