#include "model/norm_kernel.h"

#include "model/philox.h"

#include <cmath>

// Passes over a row are written once, for whole vectors and for the single numbers behind them: `pass(T{}, i)` with T either.
namespace tsrun::model {
namespace {

using namespace simd;

#define TSRUN_PASS [&](auto kind, int64_t i) __attribute__((always_inline))

template <int W, class Pass>
TSRUN_INLINE void over_row(int64_t width, const Pass& pass) {
  int64_t i = 0;
  for (; i + Simd<W>::lanes <= width; i += Simd<W>::lanes) pass(typename Simd<W>::Floats{}, i);
  for (; i < width; ++i) pass(float{}, i);
}

template <class T>
TSRUN_INLINE T get(T, const float* row, int64_t i) {
  return load<T>(row + i);
}
template <class T>
TSRUN_INLINE void put(float* row, int64_t i, T value) {
  store(row + i, value);
}

template <int W>
struct Sum {
  TSRUN_INLINE void operator+=(typename Simd<W>::Floats value) { whole += value; }
  TSRUN_INLINE void operator+=(float value) { single += value; }
  TSRUN_INLINE float mean(int64_t width) const { return (sum(whole) + single) / static_cast<float>(width); }
  typename Simd<W>::Floats whole = {};
  float single = 0;
};

template <int W>
TSRUN_INLINE const float* factors_of(const AddNorm& op, int64_t row, float* buffer) {
  if (op.dropout.threshold == 0) return nullptr;
  const int64_t start = (op.places ? op.places[row] : row) * op.width;
  return draw_factors<W>(op.dropout, 0, start, start + op.width, buffer);
}

struct AddNormForward {
  template <int W>
  TSRUN_INLINE static void run(const AddNorm& op, const float* x, const float* residual, const float* bias, float* y, float* normal,
                               float* inverse, int64_t begin, int64_t end, float* buffer) {
    const int64_t width = op.width;
    for (int64_t row = begin; row < end; ++row) {
      const float *in = x + row * width, *through = residual + row * width, *gain = op.gain;
      float *out = y + row * width, *hat = normal + row * width;
      Sum<W> values, squares;
      if (const float* factors = factors_of<W>(op, row, buffer)) {
        over_row<W>(
            width, TSRUN_PASS {
              const auto value = get(kind, through, i) + get(kind, in, i) * get(kind, factors, i);
              values += value;
              put(hat, i, value);
            });
      } else {
        over_row<W>(
            width, TSRUN_PASS {
              const auto value = get(kind, through, i) + get(kind, in, i);
              values += value;
              put(hat, i, value);
            });
      }
      const float mean = values.mean(width);
      over_row<W>(
          width, TSRUN_PASS {
            const auto distance = get(kind, hat, i) - mean;
            squares += distance * distance;
          });
      const float scale = 1.0f / std::sqrt(squares.mean(width) + op.epsilon);
      over_row<W>(
          width, TSRUN_PASS {
            const auto value = (get(kind, hat, i) - mean) * scale;
            put(hat, i, value);
            put(out, i, value * get(kind, gain, i) + get(kind, bias, i));
          });
      inverse[row] = scale;
    }
  }
};

struct AddNormBackward {
  template <int W>
  TSRUN_INLINE static void run(const AddNorm& op, const float* grad, const float* normal, const float* inverse, float* grad_x,
                               float* grad_residual, float* grad_gain, float* grad_bias, int64_t begin, int64_t end, float* buffer) {
    const int64_t width = op.width;
    for (int64_t row = begin; row < end; ++row) {
      const float *g = grad + row * width, *hat = normal + row * width, *gain = op.gain;
      float *through = grad_residual + row * width, *in = grad_x + row * width;
      Sum<W> slopes, products;
      over_row<W>(
          width, TSRUN_PASS {
            const auto slope = get(kind, g, i) * get(kind, gain, i);
            slopes += slope;
            products += slope * get(kind, hat, i);
          });
      const float mean = slopes.mean(width), along = products.mean(width), scale = inverse[row];
      over_row<W>(
          width, TSRUN_PASS {
            const auto slope = get(kind, g, i), value = get(kind, hat, i);
            put(through, i, (slope * get(kind, gain, i) - mean - value * along) * scale);
            put(grad_gain, i, get(kind, grad_gain, i) + slope * value);
            put(grad_bias, i, get(kind, grad_bias, i) + slope);
          });
      if (const float* factors = factors_of<W>(op, row, buffer)) {
        over_row<W>(
            width, TSRUN_PASS { put(in, i, get(kind, through, i) * get(kind, factors, i)); });
      }
    }
  }
};

struct RmsNormForward {
  template <int W>
  TSRUN_INLINE static void run(const float* x, const float* gain, float epsilon, int64_t width, float* y, float* inverse, int64_t begin,
                               int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* in = x + row * width;
      float* out = y + row * width;
      Sum<W> squares;
      over_row<W>(
          width, TSRUN_PASS { squares += get(kind, in, i) * get(kind, in, i); });
      const float scale = 1.0f / std::sqrt(squares.mean(width) + epsilon);
      over_row<W>(
          width, TSRUN_PASS { put(out, i, get(kind, in, i) * scale * get(kind, gain, i)); });
      inverse[row] = scale;
    }
  }
};

struct RmsNormBackward {
  template <int W>
  TSRUN_INLINE static void run(const float* grad, const float* x, const float* gain, const float* inverse, int64_t width, float* grad_x,
                               float* grad_gain, int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float *g = grad + row * width, *in = x + row * width;
      const float scale = inverse[row];
      float* out = grad_x + row * width;
      Sum<W> products;
      over_row<W>(
          width, TSRUN_PASS { products += get(kind, g, i) * get(kind, gain, i) * get(kind, in, i); });
      const float along = products.mean(width) * scale * scale;
      over_row<W>(
          width, TSRUN_PASS {
            const auto slope = get(kind, g, i), value = get(kind, in, i);
            put(out, i, (slope * get(kind, gain, i) - value * along) * scale);
            put(grad_gain, i, get(kind, grad_gain, i) + slope * value * scale);
          });
    }
  }
};

#undef TSRUN_PASS

}  // namespace

void add_norm_forward(const AddNorm& op, const float* x, const float* residual, const float* bias, float* y, float* normal, float* inverse,
                      int64_t begin, int64_t end, float* factors) {
  kernel::run<AddNormForward>(op, x, residual, bias, y, normal, inverse, begin, end, factors);
}

void add_norm_backward(const AddNorm& op, const float* grad, const float* normal, const float* inverse, float* grad_x, float* grad_residual,
                       float* grad_gain, float* grad_bias, int64_t begin, int64_t end, float* factors) {
  kernel::run<AddNormBackward>(op, grad, normal, inverse, grad_x, grad_residual, grad_gain, grad_bias, begin, end, factors);
}

void rms_norm_forward(const float* x, const float* gain, float epsilon, int64_t width, float* y, float* inverse, int64_t begin,
                      int64_t end) {
  kernel::run<RmsNormForward>(x, gain, epsilon, width, y, inverse, begin, end);
}

void rms_norm_backward(const float* grad, const float* x, const float* gain, const float* inverse, int64_t width, float* grad_x,
                       float* grad_gain, int64_t begin, int64_t end) {
  kernel::run<RmsNormBackward>(grad, x, gain, inverse, width, grad_x, grad_gain, begin, end);
}

}  // namespace tsrun::model
