#pragma once

#include "tsrun/tune/regularizer.h"

namespace tsrun::recadam {

/// Recall and Learn (Chen et al., EMNLP 2020): AdamW whose task shrinks what a pull towards the origin leaves, and takes over with time.
class Method final : public RegularizerMethod {
 public:
  std::string name() const override { return "recadam"; }
  std::string doc() const override {
    return "Anneals from a pull towards the weights before training to the task's updates; the pull stays out of AdamW's moments.";
  }
  int version() const override { return 2; }
  OptionTable options() const override;
  Wants wants(const Options&) const override { return {.whole_vocabulary = false, .origin = true}; }
  std::unique_ptr<Regularizer> make(const MethodInputs& inputs, const Options& options) const override;
};

}  // namespace tsrun::recadam
