#pragma once

#include "tsrun/tune/selector.h"

namespace tsrun::salf {

/// Semantic-aware layer freezing (Gu et al., Findings of ACL 2025, arXiv 2406.11753): how far the hidden states of every layer are from the
/// label that they lead to, what each layer gains on that way, and a suffix of layers that is trained. The paper's formulas of deviation
/// and gain could not be read; those here are named reconstructions (method.md).
class Method final : public SelectorMethod {
 public:
  std::string name() const override { return "salf"; }
  std::string doc() const override {
    return "Trains the layers above the one that brings hidden states nearest to their labels; the layers up to it are frozen.";
  }
  int version() const override { return 2; }
  OptionTable options() const override;
  std::optional<Choice> choose(const MethodInputs& inputs, const Options& options) const override;
  std::unique_ptr<Selector> make(const MethodInputs& inputs, const Options& options) const override;
};

}  // namespace tsrun::salf
