#include "model/norm_kernel.h"
#include "model/rotary_kernel.h"
#include "support/every_vectors.h"
#include "tsrun/base/random.h"

#include <gtest/gtest.h>

#include <cmath>

// Kernels of the model room that no float64 composition stands beside, against their definitions in float64.
namespace tsrun::model {
namespace {

std::vector<float> drawn(int64_t count, uint64_t seed) {
  std::vector<float> numbers(static_cast<size_t>(count));
  fill_normal(Key::root(seed), numbers);
  return numbers;
}

/// Widths and half head sizes around whole vectors of every kind.
class ModelKernels : public ::testing::TestWithParam<int64_t> {};
INSTANTIATE_TEST_SUITE_P(Widths, ModelKernels, ::testing::Values(1, 3, 4, 7, 8, 15, 16, 17, 31, 33, 64, 100, 385));

TEST_P(ModelKernels, RmsNormEqualsItsDefinition) {
  const int64_t width = GetParam(), rows = 3;
  const auto x = drawn(rows * width, 1), gain = drawn(width, 2);
  with_every_vectors([&] {
    std::vector<float> y(x.size()), inverse(rows);
    rms_norm_forward(x.data(), gain.data(), 1e-6F, width, y.data(), inverse.data(), 0, rows);
    for (int64_t r = 0; r < rows; ++r) {
      double squares = 0;
      for (int64_t i = 0; i < width; ++i) squares += std::pow(static_cast<double>(x[r * width + i]), 2);
      const double scale = 1 / std::sqrt(squares / static_cast<double>(width) + 1e-6);
      ASSERT_NEAR(inverse[r], scale, 2e-6 * scale);
      for (int64_t i = 0; i < width; ++i) ASSERT_NEAR(y[r * width + i], x[r * width + i] * scale * gain[i], 1e-5) << r << " " << i;
    }
  });
}

TEST_P(ModelKernels, RmsNormGradientsEqualTheirDefinition) {
  const int64_t width = GetParam(), rows = 3;
  const auto x = drawn(rows * width, 1), gain = drawn(width, 2), grad = drawn(rows * width, 3), before = drawn(width, 4);
  std::vector<float> y(x.size()), inverse(rows);
  rms_norm_forward(x.data(), gain.data(), 1e-6F, width, y.data(), inverse.data(), 0, rows);
  with_every_vectors([&] {
    std::vector<float> grad_x(x.size()), grad_gain = before;
    rms_norm_backward(grad.data(), x.data(), gain.data(), inverse.data(), width, grad_x.data(), grad_gain.data(), 0, rows);
    std::vector<double> expected_gain(before.begin(), before.end());
    for (int64_t r = 0; r < rows; ++r) {
      const float *g = grad.data() + r * width, *in = x.data() + r * width;
      const double scale = inverse[r];
      double along = 0;
      for (int64_t i = 0; i < width; ++i) along += static_cast<double>(g[i]) * gain[i] * in[i];
      along *= scale * scale / static_cast<double>(width);
      for (int64_t i = 0; i < width; ++i) {
        ASSERT_NEAR(grad_x[r * width + i], (static_cast<double>(g[i]) * gain[i] - in[i] * along) * scale, 1e-4) << r << " " << i;
        expected_gain[i] += static_cast<double>(g[i]) * in[i] * scale;
      }
    }
    for (int64_t i = 0; i < width; ++i) ASSERT_NEAR(grad_gain[i], expected_gain[i], 1e-4) << i;
  });
}

TEST_P(ModelKernels, TurningEqualsItsDefinition_InBothDirections) {
  const int64_t half = GetParam(), size = 2 * half, tokens = 2, heads = 3, stride = heads * size + 5;
  const auto x = drawn(tokens * stride, 1), cosines = drawn(tokens * size, 2), sines = drawn(tokens * size, 3);
  with_every_vectors([&] {
    for (const float direction : {1.0F, -1.0F}) {
      std::vector<float> out(static_cast<size_t>(tokens * heads * size));
      turn(x.data(), stride, cosines.data(), sines.data(), tokens, heads, size, direction, out.data());
      for (int64_t at = 0; at < tokens * heads * size; ++at) {
        const int64_t token = at / (heads * size), i = at % size, other = i < half ? i + half : i - half;
        const float* in = x.data() + token * stride + at / size % heads * size;
        const double sine = (i < half ? -direction : direction) * static_cast<double>(sines[token * size + i]);
        ASSERT_NEAR(out[at], static_cast<double>(in[i]) * cosines[token * size + i] + in[other] * sine, 1e-5) << at;
      }
    }
  });
}

}  // namespace
}  // namespace tsrun::model
