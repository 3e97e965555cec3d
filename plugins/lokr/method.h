#pragma once

#include "tsrun/tune/weight_update.h"

namespace tsrun::lokr {

/// LoKr: ΔW = s W1 ⊗ W2, a Kronecker product whose second factor (and, on demand, first) is of low rank (LyCORIS, Yeh et al., ICLR 2024).
class Method final : public DeltaMethod {
 public:
  std::string name() const override { return "lokr"; }
  std::string doc() const override { return "Kronecker products of small and low-rank matrices."; }
  int version() const override { return 1; }
  OptionTable options() const override;
  std::unique_ptr<Delta> attach(const Family& family, const Options& options) const override;
  std::optional<PeftType> peft_type() const override;
  nlohmann::json options_from_peft(const nlohmann::ordered_json& config) const override;
  PeftFolder to_peft(const Delta& delta, const Options& options, const Model& model) const override;
};

}  // namespace tsrun::lokr
