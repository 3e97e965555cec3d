#pragma once

#include "tsrun/tune/selector.h"

namespace tsrun::last_layers {

/// The trivial choices of layers, without which no table of layer selection is complete.
class Method final : public SelectorMethod {
 public:
  std::string name() const override { return "last_layers"; }
  std::string doc() const override { return "Trains the first, the last or k random layers; pooler and head as without the selector."; }
  int version() const override { return 2; }
  OptionTable options() const override;
  Wants wants(const Options&) const override { return {.whole_vocabulary = false}; }
  std::optional<Choice> choose(const MethodInputs& inputs, const Options& options) const override;
};

}  // namespace tsrun::last_layers
