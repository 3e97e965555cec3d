#pragma once

#include "tsrun/tune/weight_update.h"

namespace tsrun::fourierft {

/// FourierFT (Gao et al., ICML 2024): n trained coefficients of the two-dimensional Fourier transform of ΔW at places drawn once;
/// ΔW = scaling · Re(inverse transform).
class Method final : public DeltaMethod {
 public:
  std::string name() const override { return "fourierft"; }
  std::string doc() const override { return "Few trained Fourier coefficients of each weight's update."; }
  int version() const override { return 1; }
  OptionTable options() const override;
  std::unique_ptr<Delta> attach(const Family& family, const Options& options) const override;
  std::optional<PeftType> peft_type() const override;
  nlohmann::json options_from_peft(const nlohmann::ordered_json& config) const override;
  PeftFolder to_peft(const Delta& delta, const Options& options, const Model& model) const override;
};

}  // namespace tsrun::fourierft
