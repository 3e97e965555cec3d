#pragma once

#include "tsrun/tune/regularizer.h"
#include "tsrun/tune/selector.h"

#include <functional>

namespace tsrun::child_tuning {

/// Kept entries, bool [numbers], of the parameter (or the coordinates) `name` in a step.
using Draw = std::function<at::Tensor(const std::string& name, int64_t numbers, const Step& step)>;

/// Child-Tuning-F with other random numbers.
std::unique_ptr<Regularizer> make_task_free(double p, Draw draw);

/// Child-Tuning (Xu et al., EMNLP 2021): masks on gradients, inside the optimiser.
class Method final : public RegularizerMethod {
 public:
  std::string name() const override { return "child_tuning"; }
  std::string doc() const override {
    return "Masks clipped gradients in front of the optimiser: at random in every step (f), or outside a child network of large Fisher "
           "information (d).";
  }
  int version() const override { return 1; }
  OptionTable options() const override;
  Wants wants(const Options&) const override { return {.whole_vocabulary = false}; }
  std::unique_ptr<Regularizer> make(const MethodInputs& inputs, const Options& options) const override;
};

/// The child network of Child-Tuning-D as a scope.
class ChildNetwork final : public SelectorMethod {
 public:
  std::string name() const override { return "child_network"; }
  std::string doc() const override {
    return "Trains the entries of all layers with the largest Fisher information on the training rows (Child-Tuning-D).";
  }
  int version() const override { return 1; }
  OptionTable options() const override;
  Wants wants(const Options&) const override { return {.whole_vocabulary = false}; }
  std::optional<Choice> choose(const MethodInputs& inputs, const Options& options) const override;
};

}  // namespace tsrun::child_tuning
