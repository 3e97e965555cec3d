#pragma once

#include "tsrun/tune/weight_update.h"

namespace tsrun::randlora {

/// RandLoRA (Albert et al., ICLR 2025): ΔW of full rank, a sum of frozen random products B_j A that trained diagonal matrices scale.
class Method final : public DeltaMethod {
 public:
  std::string name() const override { return "randlora"; }
  std::string doc() const override { return "Updates of full rank from frozen random matrices that trained diagonal ones scale."; }
  int version() const override { return 1; }
  OptionTable options() const override;
  std::unique_ptr<Delta> attach(const Family& family, const Options& options) const override;
  std::optional<PeftType> peft_type() const override;
  nlohmann::json options_from_peft(const nlohmann::ordered_json& config) const override;
  PeftTensor tensor_from_peft(PeftTensor tensor, const Delta& delta, const Family& family) const override;
  PeftFolder to_peft(const Delta& delta, const Options& options, const Model& model) const override;
};

}  // namespace tsrun::randlora
