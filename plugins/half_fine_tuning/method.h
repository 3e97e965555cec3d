#pragma once

#include "tsrun/tune/selector.h"

namespace tsrun::half_fine_tuning {

/// Half fine-tuning (Hui et al. 2024, "HFT", arXiv 2404.18466): a random half of each layer's matrices is frozen, another one each round.
class Method final : public SelectorMethod {
 public:
  std::string name() const override { return "half_fine_tuning"; }
  std::string doc() const override { return "Trains a random half of each layer's modules, drawn again every epoch or every k steps."; }
  int version() const override { return 1; }
  OptionTable options() const override;
  Wants wants(const Options& /*options*/) const override { return {.whole_vocabulary = false}; }
  std::optional<Choice> choose(const MethodInputs& inputs, const Options& options) const override;
  std::unique_ptr<Selector> make(const MethodInputs& inputs, const Options& options) const override;
};

}  // namespace tsrun::half_fine_tuning
