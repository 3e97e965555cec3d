#pragma once

#include "tsrun/tune/weight_update.h"

namespace tsrun::tinylora {

/// TinyLoRA (arXiv:2602.04118): ΔW = B R A with B and A from the r largest singular values of W, and R a sum of u frozen random matrices
/// with trained coefficients v, which modules may share.
class Method final : public DeltaMethod {
 public:
  std::string name() const override { return "tinylora"; }
  std::string doc() const override {
    return "A few trainable parameters, for one module or many, between the principal factors of each weight.";
  }
  int version() const override { return 2; }  // signs of the factors
  OptionTable options() const override;
  std::unique_ptr<Delta> attach(const Family& family, const Options& options) const override;
  std::optional<PeftType> peft_type() const override;
  nlohmann::json options_from_peft(const nlohmann::ordered_json& config) const override;
  PeftFolder to_peft(const Delta& delta, const Options& options, const Model& model) const override;
};

}  // namespace tsrun::tinylora
