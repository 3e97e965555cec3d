#pragma once

#include "tsrun/tune/row_term.h"

#include <cstdint>

namespace tsrun::spectrum_control {

/// A prescribed decay of singular values from `scale` on: the k-th of `count`, from 1, is scale · exp(−rate (k − 1)^power), or
/// scale · k^(−power). Float64, descending.
at::Tensor exponential_decay(int64_t count, double scale, double rate, double power);
at::Tensor polynomial_decay(int64_t count, double scale, double power);

/// ‖UᵀU − I‖²_F of a matrix with as many columns as that is to have.
at::Tensor distance_to_orthonormal(const at::Tensor& u);

/// Singular values of `rows` [N, width], descending, connected to autograd at constant singular vectors: exact as long as no two are equal,
/// and then for any choice of vectors among those of equal ones. [min(N, width)]
at::Tensor singular_values(const at::Tensor& rows);

/// Spectrum control (Wang et al., ICLR 2020).
class Method final : public RegularizerMethod {
 public:
  std::string name() const override { return "spectrum_control"; }
  std::string doc() const override { return "Pulls the singular values of words' vectors to a slow decay that is prescribed."; }
  int version() const override { return 1; }
  OptionTable options() const override;
  Wants wants(const Options& options) const override { return RowTerm::wants(options); }
  std::unique_ptr<Regularizer> make(const MethodInputs& inputs, const Options& options) const override;
};

}  // namespace tsrun::spectrum_control
