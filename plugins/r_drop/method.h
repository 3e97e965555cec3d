#pragma once

#include "tsrun/tune/regularizer.h"

namespace tsrun::r_drop {

/// R-Drop (Liang et al., NeurIPS 2021): two passes under two dropout keys must agree.
class Method final : public RegularizerMethod {
 public:
  std::string name() const override { return "r_drop"; }
  std::string doc() const override {
    return "Runs each batch under two dropout masks and adds the symmetric divergence of the two predictions.";
  }
  int version() const override { return 1; }
  OptionTable options() const override;
  Wants wants(const Options&) const override { return {.whole_vocabulary = false}; }
  std::unique_ptr<Regularizer> make(const MethodInputs& inputs, const Options& options) const override;
};

}  // namespace tsrun::r_drop
