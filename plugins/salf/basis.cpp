#include "basis.h"

#include "tsrun/base/operators.h"

#include <algorithm>

namespace tsrun::salf {
namespace {

constexpr int64_t labels_at_once = 4096;

/// xᵀx in float64.
at::Tensor gram_of(const at::Tensor& x) {
  at::Tensor gram = at::zeros({x.size(1), x.size(1)}, at::kDouble);
  for (int64_t i = 0; i < x.size(0); i += labels_at_once) {
    const at::Tensor rows = x.narrow(0, i, std::min(labels_at_once, x.size(0) - i)).to(at::kDouble);
    gram.addmm_(rows.t(), rows);
  }
  return gram;
}

struct Inverse {
  at::Tensor matrix;
  int64_t rank = 0;
};

/// Pseudo-inverse of a symmetric matrix without negative eigenvalues.
Inverse inverse_of(const at::Tensor& gram, double rcond) {
  const auto [values, vectors] = at::linalg_eigh(gram);
  const double largest = values.max().item<double>();
  const at::Tensor kept = values > std::max(rcond * largest, 0.0);
  const at::Tensor inverted = at::where(kept, values.reciprocal(), at::zeros_like(values));
  return {(vectors * inverted).mm(vectors.t()), kept.sum().item<int64_t>()};
}

}  // namespace

at::Tensor unit_rows(const at::Tensor& x) { return x / x.norm(2, {-1}, true).clamp_min(1e-30); }

LabelBasis LabelBasis::pseudo_inverse(const at::Tensor& matrix, double rcond) {
  const at::Tensor a = matrix.detach().to(at::kCPU);
  LabelBasis basis;
  const bool few = a.size(0) < a.size(1);
  const Inverse inverse = inverse_of(gram_of(few ? a.t() : a), rcond);
  basis.rank_ = inverse.rank;
  basis.matrix_ = few ? inverse.matrix.mm(a.to(at::kDouble)) : a;
  if (!few) basis.factor_ = inverse.matrix;
  return basis;
}

LabelBasis LabelBasis::of_rows(const at::Tensor& matrix) {
  LabelBasis basis;
  basis.matrix_ = matrix.detach().to(at::kCPU);
  basis.rank_ = std::min(matrix.size(0), matrix.size(1));
  return basis;
}

at::Tensor LabelBasis::vectors(const at::Tensor& labels) const {
  const at::Tensor rows = matrix_.index_select(0, labels.to(at::kCPU)).to(at::kDouble);
  return factor_.defined() ? rows.mm(factor_) : rows;
}

}  // namespace tsrun::salf
