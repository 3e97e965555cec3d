#include "model/rotary_kernel.h"

#include "tsrun/base/simd.h"

namespace tsrun::model {
namespace {

struct Turn {
  template <int W>
  TSRUN_INLINE static void run(const float* x, int64_t stride, const float* cosines, const float* sines, int64_t tokens, int64_t heads,
                               int64_t size, float direction, float* out) {
    using Floats = typename simd::Simd<W>::Floats;
    const int64_t half = size / 2;
    for (int64_t token = 0; token < tokens; ++token) {
      const float *c = cosines + token * size, *s = sines + token * size;
      for (int64_t head = 0; head < heads; ++head) {
        const float* in = x + token * stride + head * size;
        float* to = out + (token * heads + head) * size;
        int64_t i = 0;
        for (; i + simd::Simd<W>::lanes <= half; i += simd::Simd<W>::lanes) turn_pair<Floats>(in, c, s, half, i, direction, to);
        for (; i < half; ++i) turn_pair<float>(in, c, s, half, i, direction, to);
      }
    }
  }

  /// Numbers i and i + half, or vectors of them.
  template <class T>
  TSRUN_INLINE static void turn_pair(const float* in, const float* cosines, const float* sines, int64_t half, int64_t i, float direction,
                                     float* to) {
    using simd::load, simd::store;
    const T low = load<T>(in + i), high = load<T>(in + half + i);
    store(to + i, low * load<T>(cosines + i) - direction * high * load<T>(sines + i));
    store(to + half + i, high * load<T>(cosines + half + i) + direction * low * load<T>(sines + half + i));
  }
};

}  // namespace

void turn(const float* x, int64_t stride, const float* cosines, const float* sines, int64_t tokens, int64_t heads, int64_t size,
          float direction, float* out) {
  kernel::run<Turn>(x, stride, cosines, sines, tokens, heads, size, direction, out);
}

}  // namespace tsrun::model
