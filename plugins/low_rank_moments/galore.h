#pragma once

#include "choices.h"
#include "tsrun/tune/regularizer.h"

namespace tsrun::low_rank_moments {

/// GaLore (Zhao et al., ICML 2024): weights are updated in full rank by Adam, whose moments are of the gradient in its own first r singular
/// vectors, renewed every T steps.
class GaloreMethod final : public RegularizerMethod {
 public:
  std::string name() const override { return "galore"; }
  std::string doc() const override {
    return "Updates matrices by Adam in the gradient's own leading directions, with moments of that rank.";
  }
  int version() const override { return 1; }
  OptionTable options() const override;
  Wants wants(const Options& options) const override { return wants_of(options, name()); }
  std::unique_ptr<Regularizer> make(const MethodInputs& inputs, const Options& options) const override;
};

}  // namespace tsrun::low_rank_moments
