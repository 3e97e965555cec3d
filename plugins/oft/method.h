#pragma once

#include "tsrun/tune/weight_update.h"

namespace tsrun::oft {

/// Orthogonal fine-tuning (Qiu et al., NeurIPS 2023): y = (x R) Wᵀ + b with R block-diagonal and orthogonal, by Cayley's map of
/// skew-symmetric matrices, R = (I − Q)(I + Q)⁻¹, or the first terms of its Neumann series.
class Method final : public DeltaMethod {
 public:
  std::string name() const override { return "oft"; }
  std::string doc() const override { return "Rotations of what enters linear layers, block by block."; }
  int version() const override { return 1; }
  OptionTable options() const override;
  std::unique_ptr<Delta> attach(const Family& family, const Options& options) const override;
  std::optional<PeftType> peft_type() const override;
  nlohmann::json options_from_peft(const nlohmann::ordered_json& config) const override;
  PeftFolder to_peft(const Delta& delta, const Options& options, const Model& model) const override;
};

}  // namespace tsrun::oft
