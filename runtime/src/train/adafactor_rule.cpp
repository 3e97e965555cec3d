#include "tsrun/base/error.h"
#include "tsrun/base/parallel.h"
#include "tsrun/train/adafactor.h"

#include <algorithm>
#include <cmath>

namespace tsrun {
namespace {

constexpr int64_t numbers_a_thread = 1 << 14;

/// result(k, l) = Σ_j weight[j] narrow(k, j) narrow(l, j).
SmallMatrix weighted_products(const SmallMatrix& narrow, const std::vector<double>& weight) {
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

float mixed(const AdafactorRule& rule, float mean, double square) {
  return static_cast<float>(rule.kept * static_cast<double>(mean) + (1 - rule.kept) * (square + rule.eps1));
}

/// What the update is multiplied by: the learning rate, and less where it is longer than the threshold.
double limited_rate(const AdafactorRule& rule, double mean_square) {
  return rule.lr / std::max(1.0, std::sqrt(mean_square) / rule.clip_threshold);
}

/// Takes the squares into the means of rows; returns 1 / √mean of each.
std::vector<double> take_row_squares(const AdafactorRule& rule, std::span<float> means, const SmallMatrix& wide_products,
                                     const SmallMatrix& narrow, int64_t length) {
  std::vector<double> factors;
  for (size_t j = 0; j < means.size(); ++j) {
    means[j] = mixed(rule, means[j], form_at(wide_products, narrow, static_cast<int64_t>(j)) / static_cast<double>(length));
    factors.push_back(1 / std::sqrt(static_cast<double>(means[j])));
  }
  return factors;
}

/// In float64 and in a fixed order.
double mean_of(std::span<const float> values) {
  const auto count = static_cast<int64_t>(values.size());
  const double sum = over_quadratic_forms({}, count, {}, [&](int64_t at, int64_t many, const std::vector<const double*>& /*forms*/) {
    double part = 0;
    for (int64_t i = at; i < at + many; ++i) part += static_cast<double>(values[static_cast<size_t>(i)]);
    return part;
  });
  return sum / static_cast<double>(count);
}

}  // namespace

AdafactorRule::AdafactorRule(int64_t step, double lr, const AdafactorOptions& options)
    : lr(lr),
      kept(1 - std::pow(static_cast<double>(step), options.decay_rate)),
      clip_threshold(options.clip_threshold),
      eps1(options.eps1) {}

void adafactor_vector(const AdafactorRule& rule, std::span<float> value, std::span<float> gradient, std::span<float> squares) {
  const auto count = static_cast<int64_t>(value.size());
  parallel_for(count, numbers_a_thread, [&](int64_t first, int64_t last) {
    for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i) {
      const auto slope = static_cast<double>(gradient[i]);
      squares[i] = mixed(rule, squares[i], slope * slope);
      gradient[i] = static_cast<float>(slope / std::sqrt(static_cast<double>(squares[i])));
    }
  });
  const double mean_square = gram(Rows{{gradient.data()}, RowType::float32, count})(0, 0) / static_cast<double>(count);
  const auto rate = static_cast<float>(limited_rate(rule, mean_square));
  parallel_for(count, numbers_a_thread, [&](int64_t first, int64_t last) {
    for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i) value[i] -= rate * gradient[i];
  });
}

SmallMatrix adafactor_outer(const AdafactorRule& rule, const LongRows& matrix, std::span<float> row_squares,
                            std::span<float> column_squares, const std::vector<const float*>& wide, const SmallMatrix& narrow) {
  const int64_t dim = matrix.rows, length = matrix.columns;
  if (narrow.rows != static_cast<int64_t>(wide.size()) || narrow.columns != dim || wide.empty())
    internal_error("adafactor: {} long vectors for {} x {} short ones", wide.size(), narrow.rows, narrow.columns);
  const SmallMatrix wide_products = gram(Rows{{wide.begin(), wide.end()}, RowType::float32, length});
  const std::vector<double> row_factors = take_row_squares(rule, row_squares, wide_products, narrow, length);
  std::vector<double> row_weights(row_factors);
  for (double& factor : row_weights) factor *= factor;
  // Columns: their means, and what they add to the length of the update, which lacks only the mean of the means.
  const std::vector<SmallMatrix> forms = {weighted_products(narrow, std::vector<double>(row_factors.size(), 1.0)),
                                          weighted_products(narrow, row_weights)};
  const double lengths =
      over_quadratic_forms(wide, length, forms, [&](int64_t at, int64_t count, const std::vector<const double*>& values) {
        double sum = 0;
        for (int64_t i = 0; i < count; ++i) {
          float& mean = column_squares[static_cast<size_t>(at + i)];
          mean = mixed(rule, mean, values[0][i] / static_cast<double>(dim));
          sum += values[1][i] / static_cast<double>(mean);
        }
        return sum;
      });
  const double mean = mean_of(column_squares);
  const double rate = limited_rate(rule, lengths * mean / (static_cast<double>(length) * static_cast<double>(dim)));
  std::vector<float> scale(static_cast<size_t>(length));
  parallel_for(length, numbers_a_thread, [&](int64_t first, int64_t last) {
    for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i)
      scale[i] = static_cast<float>(std::sqrt(mean / static_cast<double>(column_squares[i])));
  });
  SmallMatrix change = narrow;
  for (int64_t k = 0; k < change.rows; ++k)
    for (int64_t j = 0; j < change.columns; ++j) change(k, j) *= -rate * row_factors[static_cast<size_t>(j)];
  return multiply_and_update(matrix, wide, scale, change);
}

}  // namespace tsrun
