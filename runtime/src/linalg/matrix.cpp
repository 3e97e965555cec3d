#include "tsrun/base/error.h"
#include "tsrun/linalg/rows.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linalg_eigh.h>

#include <algorithm>

namespace tsrun {

SmallMatrix multiply(const SmallMatrix& a, const SmallMatrix& b) {
  if (a.columns != b.rows) internal_error("multiply: {} x {} by {} x {}", a.rows, a.columns, b.rows, b.columns);
  SmallMatrix c(a.rows, b.columns);
  for (int64_t i = 0; i < a.rows; ++i)
    for (int64_t k = 0; k < a.columns; ++k)
      for (int64_t j = 0; j < b.columns; ++j) c(i, j) += a(i, k) * b(k, j);
  return c;
}

SmallMatrix transpose(const SmallMatrix& a) {
  SmallMatrix t(a.columns, a.rows);
  for (int64_t i = 0; i < a.rows; ++i)
    for (int64_t j = 0; j < a.columns; ++j) t(j, i) = a(i, j);
  return t;
}

EigenDecomposition symmetric_eigen(const SmallMatrix& matrix) {
  const int64_t n = matrix.rows;
  if (n != matrix.columns) internal_error("symmetric_eigen: {} x {} is not square", n, matrix.columns);
  if (n == 0) return {};
  at::Tensor input = at::empty({n, n}, at::kDouble);
  std::copy(matrix.values.begin(), matrix.values.end(), input.data_ptr<double>());
  const auto [values, vectors] = at::linalg_eigh(input);
  const at::Tensor plain = vectors.contiguous();
  EigenDecomposition eigen{std::vector<double>(values.data_ptr<double>(), values.data_ptr<double>() + n), SmallMatrix(n, n)};
  std::reverse(eigen.values.begin(), eigen.values.end());
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) eigen.vectors(i, j) = plain.data_ptr<double>()[i * n + n - 1 - j];
  return eigen;
}

}  // namespace tsrun
