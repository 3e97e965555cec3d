#include "tsrun/linalg/unit_sum.h"

#include "linalg/wide_dot.h"
#include "tsrun/base/parallel.h"

#include <algorithm>
#include <cmath>

namespace tsrun {
namespace {

constexpr int64_t rows_of_block = 256;  ///< whose sum is kept in the rows' type

/// Of one block, sum += x_i / ‖x_i‖.
struct AddUnits {
  template <int W, class T>
  TSRUN_INLINE static void run(const T* x, int64_t rows, int64_t width, T* inverse_norm, T* __restrict sum) {
    for (int64_t i = 0; i < rows; ++i) {
      const T* __restrict row = x + i * width;
      const double squares = linalg::wide_dot(row, row, width);
      const T inverse = squares > 0 ? static_cast<T>(1 / std::sqrt(squares)) : T(0);
      inverse_norm[i] = inverse;
      for (int64_t k = 0; k < width; ++k) sum[k] += inverse * row[k];
    }
  }
};

struct AddGradients {
  template <int W, class T>
  TSRUN_INLINE static void run(const T* x, int64_t rows, int64_t width, const T* inverse_norm, const T* __restrict direction, double factor,
                               T* gradient) {
    for (int64_t i = 0; i < rows; ++i) {
      const T* __restrict row = x + i * width;
      T* __restrict out = gradient + i * width;
      const double inverse = inverse_norm[i], scale = factor * inverse;
      const T along = static_cast<T>(scale * inverse * inverse * linalg::wide_dot(row, direction, width)), straight = static_cast<T>(scale);
      for (int64_t k = 0; k < width; ++k) out[k] += straight * direction[k] - along * row[k];
    }
  }
};

template <class T>
std::vector<double> sum(const T* x, int64_t rows, int64_t width, T* inverse_norm) {
  const int64_t blocks = (rows + rows_of_block - 1) / rows_of_block;
  std::vector<T> partial(static_cast<size_t>(blocks * width));
  parallel_for(blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const int64_t first = b * rows_of_block, count = std::min(rows_of_block, rows - first);
      kernel::run<AddUnits>(x + first * width, count, width, inverse_norm + first, partial.data() + b * width);
    }
  });
  std::vector<double> total(static_cast<size_t>(width));
  for (size_t i = 0; i < partial.size(); ++i) total[i % total.size()] += static_cast<double>(partial[i]);
  return total;
}

template <class T>
void add_gradients(const T* x, int64_t rows, int64_t width, const T* inverse_norm, const std::vector<double>& direction, double factor,
                   T* gradient) {
  const std::vector<T> narrow(direction.begin(), direction.end());
  parallel_for(rows, 64, [&](int64_t begin, int64_t end) {
    kernel::run<AddGradients>(x + begin * width, end - begin, width, inverse_norm + begin, narrow.data(), factor, gradient + begin * width);
  });
}

}  // namespace

std::vector<double> sum_of_units(const float* x, int64_t rows, int64_t width, float* inverse_norm) {
  return sum(x, rows, width, inverse_norm);
}
std::vector<double> sum_of_units(const double* x, int64_t rows, int64_t width, double* inverse_norm) {
  return sum(x, rows, width, inverse_norm);
}

void add_gradients_of_units(const float* x, int64_t rows, int64_t width, const float* inverse_norm, const std::vector<double>& direction,
                            double factor, float* gradient) {
  add_gradients(x, rows, width, inverse_norm, direction, factor, gradient);
}
void add_gradients_of_units(const double* x, int64_t rows, int64_t width, const double* inverse_norm, const std::vector<double>& direction,
                            double factor, double* gradient) {
  add_gradients(x, rows, width, inverse_norm, direction, factor, gradient);
}

}  // namespace tsrun
