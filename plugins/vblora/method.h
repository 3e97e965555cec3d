#pragma once

#include "tsrun/tune/weight_update.h"

namespace tsrun::vblora {

/// VB-LoRA (Li et al., NeurIPS 2024): LoRA whose A and B are cut into short vectors, each a mixture of the k vectors of one trained bank
/// that trained logits choose.
class Method final : public DeltaMethod {
 public:
  std::string name() const override { return "vblora"; }
  std::string doc() const override { return "LoRA factors put together from one trained bank of short vectors."; }
  int version() const override { return 1; }
  OptionTable options() const override;
  std::unique_ptr<Delta> attach(const Family& family, const Options& options) const override;
  std::optional<PeftType> peft_type() const override;
  nlohmann::json options_from_peft(const nlohmann::ordered_json& config) const override;
  PeftFolder to_peft(const Delta& delta, const Options& options, const Model& model) const override;
};

}  // namespace tsrun::vblora
