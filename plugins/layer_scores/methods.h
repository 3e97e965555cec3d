#pragma once

#include "tsrun/tune/selector.h"

/// Layers, or tensors of layers, chosen by a score.
namespace tsrun::layer_scores {

/// Matrices by the share of their spectrum above the noise (Hartford et al., arXiv 2406.06623).
class Spectrum final : public SelectorMethod {
 public:
  std::string name() const override { return "spectrum"; }
  std::string doc() const override { return "Trains, of every kind of matrix, those whose singular values stand out of the noise most."; }
  int version() const override { return 1; }
  OptionTable options() const override;
  Wants wants(const Options&) const override { return {.whole_vocabulary = false}; }
  std::optional<Choice> choose(const MethodInputs& inputs, const Options& options) const override;
};

/// Rates of tensors by their relative gradient norm (Auto-RGN of Lee et al., arXiv 2210.11466).
class GradientNorm final : public SelectorMethod {
 public:
  std::string name() const override { return "gradient_norm"; }
  std::string doc() const override {
    return "Scales every tensor's learning rate by the norm of its gradient over its own, each epoch anew.";
  }
  int version() const override { return 2; }
  OptionTable options() const override;
  std::optional<Choice> choose(const MethodInputs& inputs, const Options& options) const override;
  std::unique_ptr<Selector> make(const MethodInputs& inputs, const Options& options) const override;
};

/// Tensors by the signal-to-noise ratio of their gradient (Auto-SNR of the same paper).
class SignalToNoise final : public SelectorMethod {
 public:
  std::string name() const override { return "signal_to_noise"; }
  std::string doc() const override { return "Trains the tensors whose gradients reach a signal-to-noise ratio, chosen each epoch anew."; }
  int version() const override { return 1; }
  OptionTable options() const override;
  std::optional<Choice> choose(const MethodInputs& inputs, const Options& options) const override;
  std::unique_ptr<Selector> make(const MethodInputs& inputs, const Options& options) const override;
};

/// Layers by the Fisher information of their weights (after Lodha et al., Findings of EMNLP 2023).
class FisherLayers final : public SelectorMethod {
 public:
  std::string name() const override { return "fisher_layers"; }
  std::string doc() const override { return "Trains the layers with the largest, or smallest, mean Fisher information on a few rows."; }
  int version() const override { return 1; }
  OptionTable options() const override;
  Wants wants(const Options&) const override { return {.whole_vocabulary = false}; }
  std::optional<Choice> choose(const MethodInputs& inputs, const Options& options) const override;
};

/// Layers by how much they change the representation (after arXiv 2506.00382; CKA: Kornblith et al., 2019).
class CkaLayers final : public SelectorMethod {
 public:
  std::string name() const override { return "cka_layers"; }
  std::string doc() const override { return "Trains the layers whose output resembles their input least, or most, by linear CKA."; }
  int version() const override { return 1; }
  OptionTable options() const override;
  Wants wants(const Options&) const override { return {.whole_vocabulary = false}; }
  std::optional<Choice> choose(const MethodInputs& inputs, const Options& options) const override;
};

/// Layers whose part of a finished training's update the loss needs least are frozen (after ILA: Shi et al., arXiv 2410.17875).
class Ila final : public SelectorMethod {
 public:
  std::string name() const override { return "ila"; }
  std::string doc() const override { return "Freezes the layers whose part of a finished training's update matters least to the loss."; }
  int version() const override { return 2; }
  OptionTable options() const override;
  std::optional<Choice> choose(const MethodInputs& inputs, const Options& options) const override;
};

}  // namespace tsrun::layer_scores
