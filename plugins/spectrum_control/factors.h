#pragma once

#include "tsrun/tune/delta.h"

namespace tsrun::spectrum_control {

/// Names of the tensors of a factored `matrix`: U [words, rank], Σ [rank], V [width, rank].
struct FactorNames {
  explicit FactorNames(const std::string& matrix);
  std::string u, sigma, v;
};

/// Words' vectors as a product U diag(Σ) Vᵀ of trained factors, from the singular value decomposition of the matrix at the start
/// (Wang et al., ICLR 2020). The regulariser spectrum_control keeps U and V orthonormal.
class FactorsMethod final : public DeltaMethod {
 public:
  std::string name() const override { return "spectrum_factors"; }
  std::string doc() const override { return "Trains words' vectors as U Σ Vᵀ, from their singular value decomposition."; }
  int version() const override { return 1; }
  OptionTable options() const override;
  std::unique_ptr<Delta> attach(const Family& family, const Options& options) const override;
};

}  // namespace tsrun::spectrum_control
