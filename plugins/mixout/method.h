#pragma once

#include "tsrun/tune/regularizer.h"

#include <functional>

namespace tsrun::mixout {

/// The kept entries of a parameter in one pass, as `mixed_weight` takes them.
using Draw = std::function<at::Tensor(const ParameterInfo& parameter, const Step& step)>;

/// Mixes the parameters that `options` name with their origin in every pass. @throws Error(user) when the options name none
std::unique_ptr<Regularizer> make_mixout(const MethodInputs& inputs, const Options& options, Draw draw);

/// Mixout (Lee, Cho and Kang, ICLR 2020).
class Method final : public RegularizerMethod {
 public:
  std::string name() const override { return "mixout"; }
  std::string doc() const override { return "Replaces a random part of the weights by their values before training, in every pass."; }
  int version() const override { return 1; }
  OptionTable options() const override;
  Wants wants(const Options& options) const override;
  std::unique_ptr<Regularizer> make(const MethodInputs& inputs, const Options& options) const override;
};

}  // namespace tsrun::mixout
