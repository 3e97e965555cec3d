#include "model/norm_kernel.h"

#include "model/philox.h"

#include <cmath>

namespace tsrun {
namespace {

using namespace simd;

/// Σ f(i) over [0, width) in sixteen partial sums.
template <class Term>
TSRUN_INLINE float reduce(int64_t width, Term term) {
  float partial[lanes] = {};
  int64_t i = 0;
  for (; i + lanes <= width; i += lanes) {
    for (int64_t j = 0; j < lanes; ++j) partial[j] += term(i + j);
  }
  for (; i < width; ++i) partial[0] += term(i);
  float total = 0;
  for (int64_t j = 0; j < lanes; ++j) total += partial[j];
  return total;
}

TSRUN_INLINE const float* factors_of(const AddNorm& op, int64_t row, float* buffer) {
  if (op.dropout.threshold == 0) return nullptr;
  const int64_t start = (op.places ? op.places[row] : row) * op.width;
  return draw_factors(op.dropout, 0, start, start + op.width, buffer);
}

}  // namespace

TSRUN_MULTIVERSIONED
void add_norm_forward(const AddNorm& op, const float* x, const float* residual, const float* bias, float* y, float* normal, float* inverse,
                      int64_t begin, int64_t end, float* buffer) {
  const int64_t width = op.width;
  for (int64_t row = begin; row < end; ++row) {
    const float *in = x + row * width, *through = residual + row * width;
    float *out = y + row * width, *hat = normal + row * width;
    if (const float* factors = factors_of(op, row, buffer)) {
      for (int64_t i = 0; i < width; ++i) hat[i] = through[i] + in[i] * factors[i];
    } else {
      for (int64_t i = 0; i < width; ++i) hat[i] = through[i] + in[i];
    }
    const float mean = reduce(width, [&](int64_t i) { return hat[i]; }) / static_cast<float>(width);
    const float variance = reduce(width, [&](int64_t i) { return (hat[i] - mean) * (hat[i] - mean); }) / static_cast<float>(width);
    const float scale = 1.0f / std::sqrt(variance + op.epsilon);
    for (int64_t i = 0; i < width; ++i) {
      hat[i] = (hat[i] - mean) * scale;
      out[i] = hat[i] * op.gain[i] + bias[i];
    }
    inverse[row] = scale;
  }
}

TSRUN_MULTIVERSIONED
void add_norm_backward(const AddNorm& op, const float* grad, const float* normal, const float* inverse, float* grad_x, float* grad_residual,
                       float* grad_gain, float* grad_bias, int64_t begin, int64_t end, float* buffer) {
  const int64_t width = op.width;
  for (int64_t row = begin; row < end; ++row) {
    const float *g = grad + row * width, *hat = normal + row * width;
    float *through = grad_residual + row * width, *in = grad_x + row * width;
    const float mean = reduce(width, [&](int64_t i) { return g[i] * op.gain[i]; }) / static_cast<float>(width);
    const float along = reduce(width, [&](int64_t i) { return g[i] * op.gain[i] * hat[i]; }) / static_cast<float>(width);
    for (int64_t i = 0; i < width; ++i) {
      through[i] = (g[i] * op.gain[i] - mean - hat[i] * along) * inverse[row];
      grad_gain[i] += g[i] * hat[i];
      grad_bias[i] += g[i];
    }
    if (const float* factors = factors_of(op, row, buffer)) {
      for (int64_t i = 0; i < width; ++i) in[i] = through[i] * factors[i];
    }
  }
}

TSRUN_MULTIVERSIONED
void rms_norm_forward(const float* x, const float* gain, float epsilon, int64_t width, float* y, float* inverse, int64_t begin,
                      int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    const float* in = x + row * width;
    float* out = y + row * width;
    const float square = reduce(width, [&](int64_t i) { return in[i] * in[i]; }) / static_cast<float>(width);
    const float scale = 1.0f / std::sqrt(square + epsilon);
    for (int64_t i = 0; i < width; ++i) out[i] = in[i] * scale * gain[i];
    inverse[row] = scale;
  }
}

TSRUN_MULTIVERSIONED
void rms_norm_backward(const float* grad, const float* x, const float* gain, const float* inverse, int64_t width, float* grad_x,
                       float* grad_gain, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    const float *g = grad + row * width, *in = x + row * width;
    const float scale = inverse[row];
    float* out = grad_x + row * width;
    const float along = reduce(width, [&](int64_t i) { return g[i] * gain[i] * in[i]; }) * scale * scale / static_cast<float>(width);
    for (int64_t i = 0; i < width; ++i) {
      out[i] = (g[i] * gain[i] - in[i] * along) * scale;
      grad_gain[i] += g[i] * in[i] * scale;
    }
  }
}

}  // namespace tsrun
