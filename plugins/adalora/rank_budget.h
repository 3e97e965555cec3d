#pragma once

#include "tsrun/tune/regularizer.h"

namespace tsrun::adalora {

/// AdaLoRA's budget (Zhang et al., ICLR 2023, section 3 and algorithm 1): triplets of all layers compete by smoothed sensitivity and its
/// uncertainty, and a penalty holds P and Q orthogonal.
class RankBudgetMethod final : public RegularizerMethod {
 public:
  std::string name() const override { return "rank_budget"; }
  std::string doc() const override {
    return "Lowers the rank of all updates of adalora to a budget, by importance, and keeps them orthogonal.";
  }
  int version() const override { return 2; }  // reports all triplets before the first choice
  OptionTable options() const override;
  Wants wants(const Options&) const override { return {.whole_vocabulary = false}; }
  std::unique_ptr<Regularizer> make(const MethodInputs& inputs, const Options& options) const override;
};

}  // namespace tsrun::adalora
