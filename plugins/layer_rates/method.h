#pragma once

#include "tsrun/tune/selector.h"

namespace tsrun::layer_rates {

/// Layer-wise learning-rate decay (Howard and Ruder, ACL 2018, as in Zhang et al., ICLR 2021).
class Method final : public SelectorMethod {
 public:
  std::string name() const override { return "layer_rates"; }
  std::string doc() const override {
    return "Lowers the learning rate by one factor from layer to layer, from the head down to the embeddings.";
  }
  int version() const override { return 1; }
  OptionTable options() const override;
  Wants wants(const Options&) const override { return {.whole_vocabulary = false}; }
  std::optional<Choice> choose(const MethodInputs& inputs, const Options& options) const override;
};

}  // namespace tsrun::layer_rates
