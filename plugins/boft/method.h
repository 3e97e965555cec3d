#pragma once

#include "tsrun/tune/weight_update.h"

namespace tsrun::boft {

/// Orthogonal butterflies (Liu et al., ICLR 2024): y = s ⊙ (x B_m ⋯ B_1) Wᵀ + b; every factor rotates blocks of features that a butterfly
/// permutation puts side by side, so that m small factors mix 2^(m − 1) blocks.
class Method final : public DeltaMethod {
 public:
  std::string name() const override { return "boft"; }
  std::string doc() const override {
    return "Rotations of what enters linear layers, by butterflies of small blocks, and scales of what leaves.";
  }
  int version() const override { return 1; }
  OptionTable options() const override;
  std::unique_ptr<Delta> attach(const Family& family, const Options& options) const override;
  std::optional<PeftType> peft_type() const override;
  nlohmann::json options_from_peft(const nlohmann::ordered_json& config) const override;
  PeftFolder to_peft(const Delta& delta, const Options& options, const Model& model) const override;
};

}  // namespace tsrun::boft
