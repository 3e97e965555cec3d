#pragma once

#include "tsrun/tune/selector.h"

/// Layers that are frozen, or take turns, during a training.
namespace tsrun::layer_schedules {

/// Progressive freezing at times fixed in advance (Brock et al., arXiv 1706.04983).
class FreezeOut final : public SelectorMethod {
 public:
  std::string name() const override { return "freeze_out"; }
  std::string doc() const override { return "Freezes the layers from the bottom up, each at its own time, after a cosine of its own."; }
  int version() const override { return 1; }
  OptionTable options() const override;
  Wants wants(const Options&) const override { return {.whole_vocabulary = false}; }
  std::unique_ptr<Selector> make(const MethodInputs& inputs, const Options& options) const override;
};

/// Freezing of the bottom layers whose gradients change least (Liu et al., arXiv 2102.01386).
class AutoFreeze final : public SelectorMethod {
 public:
  std::string name() const override { return "autofreeze"; }
  std::string doc() const override { return "Freezes bottom layers whose summed gradients change little from interval to interval."; }
  int version() const override { return 1; }
  OptionTable options() const override;
  Wants wants(const Options&) const override { return {.whole_vocabulary = false}; }
  std::unique_ptr<Selector> make(const MethodInputs& inputs, const Options& options) const override;
};

/// A few random layers at a time (LISA: Pan et al., arXiv 2403.17919), drawn uniformly or by their outliers (OWS: Li et al., 2405.18380).
class Lisa final : public SelectorMethod {
 public:
  std::string name() const override { return "lisa"; }
  std::string doc() const override { return "Trains a few layers drawn at random, others every few steps, with embeddings and head."; }
  int version() const override { return 1; }
  OptionTable options() const override;
  Wants wants(const Options&) const override { return {.whole_vocabulary = false}; }
  std::unique_ptr<Selector> make(const MethodInputs& inputs, const Options& options) const override;
};

/// Layers take turns.
class LayerByLayer final : public SelectorMethod {
 public:
  std::string name() const override { return "layer_by_layer"; }
  std::string doc() const override { return "Trains one layer, or a few, at a time: from front to end, from end to front, or at random."; }
  int version() const override { return 1; }
  OptionTable options() const override;
  Wants wants(const Options&) const override { return {.whole_vocabulary = false}; }
  std::unique_ptr<Selector> make(const MethodInputs& inputs, const Options& options) const override;
};

}  // namespace tsrun::layer_schedules
