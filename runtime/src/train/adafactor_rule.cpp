#include "tsrun/base/dispatch.h"
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

TSRUN_INLINE float mixed(const AdafactorRule& rule, float mean, double square) {
  return static_cast<float>(rule.kept * static_cast<double>(mean) + (1 - rule.kept) * (square + rule.eps1));
}

/// Factor of the update: the learning rate, and less where the update is longer than the threshold.
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

/// One block of columns: their means take the squares; two sums, of the means and of weighted squares over them.
struct TakeColumnSquares {
  template <int W>
  TSRUN_INLINE static void run(const AdafactorRule& rule, const double* squares, const double* weighted, double dim, int64_t count,
                               float* means, TwoSums* sums) {
    constexpr int64_t lanes = 8;
    double of_means[lanes] = {}, of_ratios[lanes] = {};
    const auto take = [&](int64_t i, int64_t lane) {
      means[i] = mixed(rule, means[i], squares[i] / dim);
      of_means[lane] += static_cast<double>(means[i]);
      of_ratios[lane] += weighted[i] / static_cast<double>(means[i]);
    };
    int64_t i = 0;
    for (; i + lanes <= count; i += lanes)
      for (int64_t lane = 0; lane < lanes; ++lane) take(i + lane, lane);
    for (; i < count; ++i) take(i, 0);
    for (int64_t lane = 0; lane < lanes; ++lane) {
      (*sums)[0] += of_means[lane];
      (*sums)[1] += of_ratios[lane];
    }
  }
};

/// factors[i] = √(mean / means[i]).
struct RootRatios {
  template <int W>
  TSRUN_INLINE static void run(double mean, const float* means, int64_t count, float* factors) {
#pragma GCC ivdep
    for (int64_t i = 0; i < count; ++i) factors[i] = static_cast<float>(std::sqrt(mean / static_cast<double>(means[i])));
  }
};

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
  float* const means = column_squares.data();
  const TwoSums sums = over_quadratic_forms(wide, length, forms, [&](int64_t at, int64_t count, const std::vector<const double*>& values) {
    TwoSums part{};
    kernel::run<TakeColumnSquares>(rule, values[0], values[1], static_cast<double>(dim), count, means + at, &part);
    return part;
  });
  const double mean = sums[0] / static_cast<double>(length);
  const double rate = limited_rate(rule, sums[1] * mean / (static_cast<double>(length) * static_cast<double>(dim)));
  SmallMatrix change = narrow;
  for (int64_t k = 0; k < change.rows; ++k)
    for (int64_t j = 0; j < change.columns; ++j) change(k, j) *= -rate * row_factors[static_cast<size_t>(j)];
  const ColumnScale scale = [&](int64_t at, int64_t count, float* factors) {
    kernel::run<RootRatios>(mean, static_cast<const float*>(means + at), count, factors);
  };
  return multiply_and_update(matrix, wide, scale, change);
}

}  // namespace tsrun
