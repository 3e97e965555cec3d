#pragma once

#include "tsrun/tune/row_term.h"

namespace tsrun::cosine {

/// Sum of the cosines of all pairs of different rows over the square of their number, (‖Σ_i x̂_i‖² − N) / N², in time linear in the rows
/// [N, width]. The gradient goes through the norms; a zero row has cosine 0 to every other, and no gradient. @returns a scalar
at::Tensor mean_cosine(const at::Tensor& rows);
/// The same number, without autograd; `factor` times its gradient is added to `gradient`, [N, width].
double add_mean_cosine(const at::Tensor& rows, double factor, at::Tensor& gradient);

/// Cosine regularisation (Gao et al., ICLR 2019).
class Method final : public RegularizerMethod {
 public:
  std::string name() const override { return "cosine"; }
  std::string doc() const override { return "Adds the mean cosine of all pairs of words' vectors, which pushes them apart."; }
  int version() const override { return 2; }
  OptionTable options() const override { return RowTerm::options(); }
  Wants wants(const Options& options) const override { return RowTerm::wants(options); }
  std::unique_ptr<Regularizer> make(const MethodInputs& inputs, const Options& options) const override;
};

}  // namespace tsrun::cosine
