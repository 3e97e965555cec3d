#pragma once

#include "tsrun/tune/row_term.h"

namespace tsrun::isotropy {

/// log Z(±v) of every direction v (a column of `directions` [width, k]): Z(v) = Σ_i exp(x_i·v) over rows x [N, width]. [2k]
at::Tensor log_partitions(const at::Tensor& rows, const at::Tensor& directions);
/// Unit eigenvectors of XᵀX, [width, width], without gradient.
at::Tensor eigenvectors(const at::Tensor& rows);
/// −log I1 with smooth extremes: τ logsumexp(z / τ) for the maximum, its mirror image for the minimum of z = log Z. Never below −log I1,
/// and above it by no more than 2 τ log 2k. @returns a scalar
at::Tensor anisotropy(const at::Tensor& rows, const at::Tensor& directions, double temperature);

/// Isotropy I1 (Mu and Viswanath, ICLR 2018) as a term of the loss.
class Method final : public RegularizerMethod {
 public:
  std::string name() const override { return "isotropy"; }
  std::string doc() const override { return "Adds minus the logarithm of the isotropy I1 of words' vectors, with smooth extremes."; }
  int version() const override { return 1; }
  OptionTable options() const override;
  Wants wants(const Options& options) const override { return RowTerm::wants(options); }
  std::unique_ptr<Regularizer> make(const MethodInputs& inputs, const Options& options) const override;
};

}  // namespace tsrun::isotropy
