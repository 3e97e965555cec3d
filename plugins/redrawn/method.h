#pragma once

#include "tsrun/tune/regularizer.h"

namespace tsrun::redrawn {

/// Random bases descent (Gressmann, Eaton-Rosen, Luschi, "Improving Neural Network Training in Low Dimensional Random Bases", NeurIPS
/// 2020): every step's gradient is projected onto a random subspace that is drawn anew every few steps; the optimiser steps in the full
/// space.
class Method final : public RegularizerMethod {
 public:
  std::string name() const override { return "redrawn"; }
  std::string doc() const override { return "Gradients are projected onto a random subspace that is drawn anew every few steps."; }
  int version() const override { return 2; }  // kept_share under rescale
  OptionTable options() const override;
  Wants wants(const Options& options) const override;
  std::unique_ptr<Regularizer> make(const MethodInputs& inputs, const Options& options) const override;
};

}  // namespace tsrun::redrawn
