#pragma once

#include "tsrun/tune/delta.h"

namespace tsrun::lora {

/// Low-rank adaptation (Hu et al., ICLR 2022): y = x Wᵀ + s (x Aᵀ) Bᵀ with s = lora_alpha / r; rsLoRA (Kalajdzievski, 2023): s = lora_alpha
/// / √r; DoRA (Liu et al., ICML 2024): the rows of W + s B A are rescaled to trained lengths.
class Method final : public DeltaMethod {
 public:
  std::string name() const override { return "lora"; }
  std::string doc() const override { return "Low-rank updates of linear layers and embeddings, with rsLoRA, DoRA and PiSSA."; }
  int version() const override { return 2; }
  OptionTable options() const override;
  std::unique_ptr<Delta> attach(const Family& family, const Options& options) const override;
  std::optional<PeftType> peft_type() const override;
  nlohmann::json options_from_peft(const nlohmann::ordered_json& config) const override;
  PeftTensor tensor_from_peft(PeftTensor tensor, const Delta& delta, const Family& family) const override;
  PeftFolder to_peft(const Delta& delta, const Options& options, const Model& model) const override;
};

}  // namespace tsrun::lora
