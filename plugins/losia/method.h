#pragma once

#include "tsrun/tune/selector.h"

namespace tsrun::losia {

/// LoSiA (Wang et al., EMNLP 2025, "Efficient high-rank fine-tuning via subnet localization and optimization", arXiv 2507.04487): of each
/// linear weight the crossing of some rows and columns, which are chosen anew layer by layer in turn.
class Method final : public SelectorMethod {
 public:
  std::string name() const override { return "losia"; }
  std::string doc() const override {
    return "Trains the crossing of important rows and columns of each weight, found anew layer by layer in turn.";
  }
  int version() const override { return 2; }
  OptionTable options() const override;
  Wants wants(const Options& options) const override;
  std::unique_ptr<Selector> make(const MethodInputs& inputs, const Options& options) const override;
};

}  // namespace tsrun::losia
