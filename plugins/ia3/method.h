#pragma once

#include "tsrun/tune/delta.h"

namespace tsrun::ia3 {

/// (IA)³ (Liu et al., NeurIPS 2022): trained vectors multiply keys, values, and what enters the second map of the feed-forward block.
class Method final : public DeltaMethod {
 public:
  std::string name() const override { return "ia3"; }
  std::string doc() const override { return "Vectors that rescale keys, values and feed-forward activations."; }
  int version() const override { return 2; }
  OptionTable options() const override;
  std::unique_ptr<Delta> attach(const Family& family, const Options& options) const override;
  nlohmann::json to_peft(const Options& options) const override { return {{"peft_type", "IA3"}}; }
  nlohmann::json from_peft(const nlohmann::json& config) const override;
};

}  // namespace tsrun::ia3
