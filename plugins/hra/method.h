#pragma once

#include "tsrun/tune/weight_update.h"

namespace tsrun::hra {

/// Householder reflection adaptation (Yuan et al., NeurIPS 2024): y = x (W H₁ ⋯ H_r)ᵀ + b with H_i = I − 2 u_i u_iᵀ / ‖u_i‖².
class Method final : public DeltaMethod {
 public:
  std::string name() const override { return "hra"; }
  std::string doc() const override { return "Chains of Householder reflections of what enters linear layers."; }
  int version() const override { return 1; }
  OptionTable options() const override;
  std::unique_ptr<Delta> attach(const Family& family, const Options& options) const override;
  std::optional<PeftType> peft_type() const override;
  nlohmann::json options_from_peft(const nlohmann::ordered_json& config) const override;
  PeftFolder to_peft(const Delta& delta, const Options& options, const Model& model) const override;
};

}  // namespace tsrun::hra
