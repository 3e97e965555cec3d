#pragma once

#include "tsrun/tune/weight_update.h"

namespace tsrun::loha {

/// LoHa: ΔW = s (A1 B1) ⊙ (A2 B2), the Hadamard product of two low-rank matrices, of rank up to r² (FedPara, Hyeon-Woo et al., ICLR 2022;
/// LyCORIS).
class Method final : public DeltaMethod {
 public:
  std::string name() const override { return "loha"; }
  std::string doc() const override { return "Hadamard products of two low-rank updates."; }
  int version() const override { return 1; }
  OptionTable options() const override;
  std::unique_ptr<Delta> attach(const Family& family, const Options& options) const override;
  std::optional<PeftType> peft_type() const override;
  nlohmann::json options_from_peft(const nlohmann::ordered_json& config) const override;
  PeftFolder to_peft(const Delta& delta, const Options& options, const Model& model) const override;
};

}  // namespace tsrun::loha
