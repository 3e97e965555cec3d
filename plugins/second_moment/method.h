#pragma once

#include "tsrun/tune/row_term.h"

namespace tsrun::second_moment {

/// ‖XᵀX / N − I / d‖²_F of rows [N, d] of norm 1 (`unit`: made so), less their mean where `centred`. 0 for isotropic rows, 1 − 1/d for
/// rows of one line. @returns a scalar
at::Tensor distance_to_isotropy(const at::Tensor& rows, bool unit, bool centred);

/// The second moment of words' vectors, pulled to that of an isotropic distribution.
class Method final : public RegularizerMethod {
 public:
  std::string name() const override { return "second_moment"; }
  std::string doc() const override { return "Pulls the second moment of words' vectors to that of an isotropic distribution."; }
  int version() const override { return 1; }
  OptionTable options() const override;
  Wants wants(const Options& options) const override { return RowTerm::wants(options); }
  std::unique_ptr<Regularizer> make(const MethodInputs& inputs, const Options& options) const override;
};

}  // namespace tsrun::second_moment
