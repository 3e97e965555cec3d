#pragma once

#include "tsrun/tune/weight_update.h"

namespace tsrun::adalora {

/// AdaLoRA's update (Zhang et al., ICLR 2023): ΔW = s P Λ Q with s = lora_alpha / init_r, whose triplets `rank_budget` drops in training.
class Method final : public DeltaMethod {
 public:
  std::string name() const override { return "adalora"; }
  std::string doc() const override {
    return "Updates as singular value decompositions, of which the regulariser rank_budget drops values.";
  }
  int version() const override { return 1; }
  OptionTable options() const override;
  std::unique_ptr<Delta> attach(const Family& family, const Options& options) const override;
  std::optional<PeftType> peft_type() const override;
  nlohmann::json options_from_peft(const nlohmann::ordered_json& config) const override;
  PeftFolder to_peft(const Delta& delta, const Options& options, const Model& model) const override;
};

}  // namespace tsrun::adalora
