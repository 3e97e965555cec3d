#pragma once

#include "tsrun/tune/selector.h"

namespace tsrun::gradient_mask {

/// SIFT (Song et al., ICML 2024, "Sparse is enough in fine-tuning pre-trained large language models", arXiv 2312.11875): of each tensor
/// the min(⌊rate · N⌋ + 1, N) elements of largest gradient in the first backward pass, for the whole training.
class Sift final : public SelectorMethod {
 public:
  std::string name() const override { return "sift"; }
  std::string doc() const override { return "Trains the elements of each tensor whose gradient was largest in one first batch."; }
  int version() const override { return 2; }
  OptionTable options() const override;
  Wants wants(const Options& options) const override;
  /// By a batch of its own, with dropout: for `compact`, where gradients and moments exist for the chosen elements alone.
  std::optional<Choice> choose(const MethodInputs& inputs, const Options& options) const override;
  /// By the first step of the training, whose update is masked already.
  std::unique_ptr<Selector> make(const MethodInputs& inputs, const Options& options) const override;
};

}  // namespace tsrun::gradient_mask
