#pragma once

#include "tsrun/tune/delta.h"

namespace tsrun::layernorm {

/// Training of the norms' gains and biases alone (LN-tuning, Qi et al., 2022; Zhao et al., ICLR 2024).
class Method final : public DeltaMethod {
 public:
  std::string name() const override { return "layernorm"; }
  std::string doc() const override { return "Trains the gains and biases of the norms as they are."; }
  int version() const override { return 3; }
  OptionTable options() const override;
  std::unique_ptr<Delta> attach(const Family& family, const Options& options) const override;
  nlohmann::json to_peft(const Options& options) const override { return {{"peft_type", "LN_TUNING"}}; }
  nlohmann::json from_peft(const nlohmann::json& config) const override;
};

}  // namespace tsrun::layernorm
