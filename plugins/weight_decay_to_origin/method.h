#pragma once

#include "tsrun/tune/regularizer.h"

namespace tsrun::weight_decay_to_origin {

/// L2 towards the weights before training (Chelba and Acero 2004; L2-SP, Li et al. 2018), in the loss or decoupled from it.
class Method final : public RegularizerMethod {
 public:
  std::string name() const override { return "weight_decay_to_origin"; }
  std::string doc() const override {
    return "Pulls weights towards the values they had before training, decoupled or as a term of the loss.";
  }
  int version() const override { return 1; }
  OptionTable options() const override;
  Wants wants(const Options& options) const override;
  std::unique_ptr<Regularizer> make(const MethodInputs& inputs, const Options& options) const override;
};

}  // namespace tsrun::weight_decay_to_origin
