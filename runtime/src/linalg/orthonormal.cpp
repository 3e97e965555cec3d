#include "tsrun/linalg/orthonormal.h"

#include "tsrun/base/error.h"
#include "tsrun/linalg/rows.h"

#include <algorithm>
#include <cmath>

namespace tsrun {
namespace {

/// Gram-Schmidt in the space of coefficients: the rows of the result, applied to the vectors whose Gram matrix this is, are orthonormal,
/// and row i uses vectors 0..i only. Vectors that depend on earlier ones get a zero row and are listed in `dropped`.
SmallMatrix orthonormal_coefficients(const SmallMatrix& g, double ratio, std::vector<int64_t>& dropped) {
  const int64_t n = g.rows;
  SmallMatrix factor(n, n), inverse(n, n);  // lower triangular: g = factor · factorᵀ
  for (int64_t i = 0; i < n; ++i) {
    double rest = g(i, i);
    for (int64_t j = 0; j < i; ++j) {
      if (factor(j, j) == 0) continue;
      double sum = g(i, j);
      for (int64_t k = 0; k < j; ++k) sum -= factor(i, k) * factor(j, k);
      factor(i, j) = sum / factor(j, j);
      rest -= factor(i, j) * factor(i, j);
    }
    if (!(rest > ratio * ratio * g(i, i))) {
      dropped.push_back(i);
      for (int64_t j = 0; j < i; ++j) factor(i, j) = 0;
      continue;
    }
    factor(i, i) = std::sqrt(rest);
    for (int64_t j = 0; j < i; ++j) {
      double sum = 0;
      for (int64_t k = j; k < i; ++k) sum -= factor(i, k) * inverse(k, j);
      inverse(i, j) = sum / factor(i, i);
    }
    inverse(i, i) = 1 / factor(i, i);
  }
  return inverse;
}

}  // namespace

namespace {

Rows view_of(const std::vector<std::span<float>>& rows) {
  Rows view;
  view.columns = rows.empty() ? 0 : static_cast<int64_t>(rows[0].size());
  for (const auto& row : rows) {
    if (static_cast<int64_t>(row.size()) != view.columns) internal_error("orthonormalise: rows of {} and {}", view.columns, row.size());
    view.data.push_back(row.data());
  }
  return view;
}

}  // namespace

double orthonormality_error(const Rows& directions) {
  const SmallMatrix g = gram(directions);
  double worst = 0;
  for (int64_t i = 0; i < g.rows; ++i)
    for (int64_t j = 0; j < g.columns; ++j) worst = std::max(worst, std::abs(g(i, j) - (i == j ? 1.0 : 0.0)));
  return worst;
}

std::vector<int64_t> orthonormalise(std::vector<std::span<float>> rows, double ratio) {
  const Rows view = view_of(rows);
  std::vector<float*> out;
  for (const auto& row : rows) out.push_back(row.data());
  std::vector<int64_t> dropped, again;
  combine(orthonormal_coefficients(gram(view), ratio, dropped), view, out);
  combine(orthonormal_coefficients(gram(view), ratio, again), view, out);
  return dropped;
}

std::vector<int64_t> repair_orthonormality(const std::vector<std::span<float>>& rows, double tolerated) {
  if (rows.empty() || !(orthonormality_error(view_of(rows)) > tolerated)) return {};
  return orthonormalise(rows);
}

}  // namespace tsrun
