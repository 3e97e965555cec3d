#pragma once

#include "tsrun/tune/delta.h"

namespace tsrun::layernorm {

/// Training of the norms' gains and biases alone (LN-tuning, Qi et al., 2022; Zhao et al., ICLR 2024).
class Method final : public DeltaMethod {
 public:
  std::string name() const override { return "layernorm"; }
  std::string doc() const override { return "Trains the gains and biases of the norms."; }
  int version() const override { return 3; }
  OptionTable options() const override;
  std::unique_ptr<Delta> attach(const Family& family, const Options& options) const override;
  std::optional<PeftType> peft_type() const override;
  nlohmann::json options_from_peft(const nlohmann::ordered_json& config) const override;
  PeftTensor tensor_from_peft(PeftTensor tensor, const Delta& delta, const Family& family) const override;
  PeftFolder to_peft(const Delta& delta, const Options& options, const Model& model) const override;
};

}  // namespace tsrun::layernorm
