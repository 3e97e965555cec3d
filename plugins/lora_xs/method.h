#pragma once

#include "tsrun/tune/weight_update.h"

namespace tsrun::lora_xs {

/// LoRA-XS (arXiv:2405.17604): ΔW = s U R diag(S) V with the r largest singular values of W; only R [r, r] is trained.
class Method final : public DeltaMethod {
 public:
  std::string name() const override { return "lora_xs"; }
  std::string doc() const override { return "A trained r × r matrix between the principal factors of each weight."; }
  int version() const override { return 2; }  // signs of the factors
  OptionTable options() const override;
  std::unique_ptr<Delta> attach(const Family& family, const Options& options) const override;
  /// A folder of LoRA's, which PEFT has: lora_A = S V, lora_B = U R.
  PeftFolder to_peft(const Delta& delta, const Options& options, const Model& model) const override;
};

}  // namespace tsrun::lora_xs
