#include "adafactor.h"

#include "tsrun/base/parallel.h"
#include "tsrun/linalg/rows.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace tsrun::shared_vector {
namespace {

/// In float64 and in a fixed order.
double mean_square(std::span<const float> x) {
  return project(Rows{{x.data()}, RowType::float32, static_cast<int64_t>(x.size())}, x)[0] / static_cast<double>(x.size());
}

/// The factor that brings an update of this mean square below the threshold, times the learning rate.
double rate(const Adafactor& rule, double update_mean_square) {
  return rule.lr / std::max(1.0, std::sqrt(update_mean_square) / rule.clip_threshold);
}

/// means ← kept means + (1 − kept)(factor x² + ε)
void take_squares(const Adafactor& rule, std::span<float> means, std::span<const float> x, double factor) {
  parallel_for(static_cast<int64_t>(x.size()), grain, [&](int64_t first, int64_t last) {
    for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i) {
      const double square = factor * x[i] * x[i] + rule.epsilon;
      means[i] = static_cast<float>(rule.kept * means[i] + (1 - rule.kept) * square);
    }
  });
}

/// out ← x / √(means / scale); `out` may be `x`.
void normalise(std::span<float> out, std::span<const float> x, std::span<const float> means, double scale) {
  parallel_for(static_cast<int64_t>(x.size()), grain, [&](int64_t first, int64_t last) {
    for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i)
      out[i] = static_cast<float>(x[i] / std::sqrt(means[i] / scale));
  });
}

double mean(std::span<const float> x) {
  double sum = 0;
  for (const float value : x) sum += value;
  return sum / static_cast<double>(x.size());
}

}  // namespace

Adafactor Adafactor::at_step(int64_t step, double lr) { return {.lr = lr, .kept = 1 - std::pow(static_cast<double>(step), -0.8)}; }

void update_vector(const Adafactor& rule, std::span<float> value, std::span<float> gradient, std::span<float> squares) {
  take_squares(rule, squares, gradient, 1);
  normalise(gradient, gradient, squares, 1);
  const auto step = static_cast<float>(rate(rule, mean_square(gradient)));
  parallel_for(static_cast<int64_t>(value.size()), grain, [&](int64_t first, int64_t last) {
    for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i) value[i] -= step * gradient[i];
  });
}

void update_outer(const Adafactor& rule, std::span<float> value, std::span<const float> a, std::span<const float> b,
                  std::span<float> row_squares, std::span<float> column_squares) {
  take_squares(rule, row_squares, a, mean_square(b));
  take_squares(rule, column_squares, b, mean_square(a));
  std::vector<float> by_row(a.size()), by_column(b.size());
  normalise(by_row, a, row_squares, mean(row_squares));
  normalise(by_column, b, column_squares, 1);
  const double step = rate(rule, mean_square(by_row) * mean_square(by_column));
  for (float& factor : by_row) factor = static_cast<float>(step * factor);
  parallel_for(static_cast<int64_t>(b.size()), grain, [&](int64_t first, int64_t last) {
    for (size_t r = 0; r < by_row.size(); ++r) {
      float* row = value.data() + r * b.size();
      for (int64_t k = first; k < last; ++k) row[k] -= by_row[r] * by_column[static_cast<size_t>(k)];
    }
  });
}

}  // namespace tsrun::shared_vector
