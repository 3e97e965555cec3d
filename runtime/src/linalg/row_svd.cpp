#include "tsrun/linalg/row_svd.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linalg_svd.h>

#include <algorithm>
#include <cmath>
#include <tuple>

namespace tsrun {
namespace {

/// Rows of R that others determine to this part of their squared length are not independent (float64 cannot tell them apart).
constexpr double independent = 1e-11;

struct RowFactor {
  SmallMatrix lower;    ///< L: R = L Q with orthonormal rows Q
  SmallMatrix inverse;  ///< (L⁺)ᵀ: Qᵀ = Rᵀ inverse
};

/// By the eigenvectors of the Gram matrix scaled to unit diagonal, so that a long row (θ0) does not drown a short one.
RowFactor factor_rows(const SmallMatrix& gram) {
  const int64_t n = gram.rows;
  std::vector<double> length(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) length[static_cast<size_t>(i)] = std::sqrt(std::max(0.0, gram(i, i)));
  SmallMatrix scaled(n, n);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) {
      const double scale = length[static_cast<size_t>(i)] * length[static_cast<size_t>(j)];
      scaled(i, j) = scale > 0 ? gram(i, j) / scale : 0;
    }
  const EigenDecomposition eigen = symmetric_eigen(scaled);
  const double least = eigen.values.empty() ? 0 : independent * eigen.values[0];
  const auto rank = std::count_if(eigen.values.begin(), eigen.values.end(), [&](double v) { return v > least && v > 0; });
  RowFactor factor{SmallMatrix(n, rank), SmallMatrix(n, rank)};
  for (int64_t i = 0; i < n; ++i)
    for (int64_t k = 0; k < rank; ++k) {
      const double root = std::sqrt(eigen.values[static_cast<size_t>(k)]), size = length[static_cast<size_t>(i)];
      factor.lower(i, k) = size * eigen.vectors(i, k) * root;
      factor.inverse(i, k) = size > 0 ? eigen.vectors(i, k) / (size * root) : 0;
    }
  return factor;
}

struct SmallSvd {
  std::vector<double> values;
  SmallMatrix right;  ///< columns
};

SmallSvd singular(const SmallMatrix& a) {
  if (a.rows == 0 || a.columns == 0) return {};
  at::Tensor input = at::empty({a.rows, a.columns}, at::kDouble);
  std::copy(a.values.begin(), a.values.end(), input.data_ptr<double>());
  const auto [u, s, vh] = at::linalg_svd(input, false);
  const at::Tensor rows = vh.contiguous();
  SmallSvd result{std::vector<double>(s.data_ptr<double>(), s.data_ptr<double>() + s.numel()), SmallMatrix(a.columns, s.numel())};
  for (int64_t k = 0; k < s.numel(); ++k)
    for (int64_t i = 0; i < a.columns; ++i) result.right(i, k) = rows.data_ptr<double>()[k * a.columns + i];
  return result;
}

SmallMatrix first_columns(const SmallMatrix& a, int64_t count) {
  SmallMatrix result(a.rows, count);
  for (int64_t i = 0; i < a.rows; ++i)
    for (int64_t k = 0; k < count; ++k) result(i, k) = a(i, k);
  return result;
}

/// Turns each direction so that row `last` of R has a coordinate of zero or more on it.
void orient(SmallMatrix& coefficients, const SmallMatrix& gram, int64_t last) {
  const SmallMatrix coordinates = multiply(gram, coefficients);
  for (int64_t k = 0; k < coefficients.columns; ++k)
    for (int64_t i = 0; coordinates(last, k) < 0 && i < coefficients.rows; ++i) coefficients(i, k) = -coefficients(i, k);
}

}  // namespace

RowSvd right_singular_vectors(const SmallMatrix& gram, const SmallMatrix& m, int64_t last, std::optional<int64_t> dim, double drop_ratio) {
  const RowFactor rows = factor_rows(gram);
  const SmallSvd svd = singular(multiply(m, rows.lower));
  RowSvd factor;
  factor.singular_values = svd.values;
  const double least = svd.values.empty() ? 0 : drop_ratio * svd.values[0];
  factor.rank = std::count_if(svd.values.begin(), svd.values.end(), [&](double v) { return v > least && v > 0; });
  const int64_t keep = std::min(factor.rank, dim.value_or(factor.rank));
  factor.coefficients = multiply(rows.inverse, first_columns(svd.right, keep));
  factor.coefficients.rows = gram.rows;  // also when nothing is kept
  orient(factor.coefficients, gram, last);
  return factor;
}

}  // namespace tsrun
