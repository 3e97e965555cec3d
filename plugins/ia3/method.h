#pragma once

#include "tsrun/tune/delta.h"

namespace tsrun::ia3 {

/// (IA)³ (Liu et al., NeurIPS 2022): trained vectors multiply keys, values, and the input of the feed-forward block's second layer.
class Method final : public DeltaMethod {
 public:
  std::string name() const override { return "ia3"; }
  std::string doc() const override { return "Vectors that rescale keys, values and feed-forward activations."; }
  int version() const override { return 2; }
  OptionTable options() const override;
  std::unique_ptr<Delta> attach(const Family& family, const Options& options) const override;
  std::optional<PeftType> peft_type() const override;
  nlohmann::json options_from_peft(const nlohmann::ordered_json& config) const override;
  PeftFolder to_peft(const Delta& delta, const Options& options, const Model& model) const override;
};

}  // namespace tsrun::ia3
