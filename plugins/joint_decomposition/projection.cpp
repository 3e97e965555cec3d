#include "projection.h"

#include "tsrun/base/error.h"
#include "tsrun/base/parallel.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>

namespace tsrun::joint_decomposition {
namespace {

/// result(k, l) = Σ_j weight[j] narrow(k, j) narrow(l, j).
SmallMatrix products_of(const SmallMatrix& narrow, const std::vector<double>& weight) {
  SmallMatrix result(narrow.rows, narrow.rows);
  for (int64_t k = 0; k < narrow.rows; ++k)
    for (int64_t l = 0; l < narrow.rows; ++l)
      for (int64_t j = 0; j < narrow.columns; ++j) result(k, l) += weight[static_cast<size_t>(j)] * narrow(k, j) * narrow(l, j);
  return result;
}

/// b_jᵀ products b_j, and never below 0.
double form_at(const SmallMatrix& products, const SmallMatrix& narrow, int64_t j) {
  double sum = 0;
  for (int64_t k = 0; k < narrow.rows; ++k)
    for (int64_t l = 0; l < narrow.rows; ++l) sum += products(k, l) * narrow(k, j) * narrow(l, j);
  return std::max(0.0, sum);
}

SmallMatrix gram_of(const std::vector<const float*>& vectors, int64_t columns) {
  return gram(Rows{{vectors.begin(), vectors.end()}, RowType::float32, columns});
}

}  // namespace

Projection::Projection(int64_t dim, int64_t length, Key key)
    : values_(at::empty({dim, length}, at::kFloat)), by_column_(at::zeros({length}, at::kFloat)), by_row_(at::zeros({dim}, at::kFloat)) {
  const LongRows matrix = rows();
  parallel_for(dim, 1, [&](int64_t first, int64_t last) {
    for (int64_t j = first; j < last; ++j)
      fill_normal(key.split(static_cast<uint64_t>(j)), {matrix.row(j), static_cast<size_t>(length)}, 0, 0, initial_deviation);
  });
}

LongRows Projection::rows() const { return {values_.mutable_data_ptr<float>(), dim(), length()}; }

std::vector<double> Projection::take_row_means(const SmallMatrix& wide_products, const SmallMatrix& narrow, double kept, double epsilon) {
  std::vector<double> factors;
  auto* means = by_row_.mutable_data_ptr<float>();
  for (int64_t j = 0; j < dim(); ++j) {
    const double square = form_at(wide_products, narrow, j) / static_cast<double>(length()) + epsilon;
    means[j] = static_cast<float>(kept * static_cast<double>(means[j]) + (1 - kept) * square);
    factors.push_back(1 / std::sqrt(static_cast<double>(means[j])));
  }
  return factors;
}

SmallMatrix Projection::descend(const std::vector<const float*>& wide, const SmallMatrix& narrow, double lr, int64_t step,
                                const AdafactorOptions& options) {
  if (narrow.rows != static_cast<int64_t>(wide.size()) || narrow.columns != dim() || wide.empty())
    internal_error("joint_decomposition: {} long vectors for {} x {} short ones", wide.size(), narrow.rows, narrow.columns);
  const double kept = 1 - std::pow(static_cast<double>(step), options.decay_rate);
  const std::vector<double> row_factors = take_row_means(gram_of(wide, length()), narrow, kept, options.eps1);
  std::vector<double> row_squares(row_factors);
  for (double& factor : row_squares) factor *= factor;
  // Columns: their means, and what they add to the length of the update, which lacks only the mean of the means.
  const std::vector<SmallMatrix> forms = {products_of(narrow, std::vector<double>(row_factors.size(), 1.0)),
                                          products_of(narrow, row_squares)};
  auto* means = by_column_.mutable_data_ptr<float>();
  const double lengths =
      over_quadratic_forms(wide, length(), forms, [&](int64_t at, int64_t count, const std::vector<const double*>& values) {
        double sum = 0;
        for (int64_t i = 0; i < count; ++i) {
          const double square = values[0][i] / static_cast<double>(dim()) + options.eps1;
          means[at + i] = static_cast<float>(kept * static_cast<double>(means[at + i]) + (1 - kept) * square);
          sum += values[1][i] / static_cast<double>(means[at + i]);
        }
        return sum;
      });
  const double mean = over_quadratic_forms({}, length(), {},
                                           [&](int64_t at, int64_t count, const std::vector<const double*>& /*values*/) {
                                             double sum = 0;
                                             for (int64_t i = 0; i < count; ++i) sum += static_cast<double>(means[at + i]);
                                             return sum;
                                           }) /
                      static_cast<double>(length());
  const double rms = std::sqrt(lengths * mean / (static_cast<double>(length()) * static_cast<double>(dim())));
  const double rate = lr / std::max(1.0, rms / options.clip_threshold);
  std::vector<float> scale(static_cast<size_t>(length()));
  parallel_for(length(), 1 << 16, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i)
      scale[static_cast<size_t>(i)] = static_cast<float>(std::sqrt(mean / static_cast<double>(means[i])));
  });
  SmallMatrix change = narrow;
  for (int64_t k = 0; k < change.rows; ++k)
    for (int64_t j = 0; j < change.columns; ++j) change(k, j) *= -rate * row_factors[static_cast<size_t>(j)];
  return multiply_and_update(rows(), wide, scale, change);
}

std::map<std::string, at::Tensor> Projection::state(const std::string& name) const {
  return {{name + ".values", values_}, {name + ".by_column", by_column_}, {name + ".by_row", by_row_}};
}

}  // namespace tsrun::joint_decomposition
