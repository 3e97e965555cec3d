#pragma once

#include "tsrun/tune/weight_update.h"

namespace tsrun::vera {

/// Vector-based random matrix adaptation (Kopiczko et al., ICLR 2024, equation 2): ΔW = diag(b) B diag(d) A with frozen random A and B that
/// all layers share, each its upper left part.
class Method final : public DeltaMethod {
 public:
  std::string name() const override { return "vera"; }
  std::string doc() const override { return "Two trained vectors a layer that scale frozen random matrices which all layers share."; }
  int version() const override { return 1; }
  OptionTable options() const override;
  std::unique_ptr<Delta> attach(const Family& family, const Options& options) const override;
  std::optional<PeftType> peft_type() const override;
  nlohmann::json options_from_peft(const nlohmann::ordered_json& config) const override;
  PeftFolder to_peft(const Delta& delta, const Options& options, const Model& model) const override;
};

}  // namespace tsrun::vera
