#include "model/rotary_kernel.h"

#include "model/simd.h"

namespace tsrun {

TSRUN_MULTIVERSIONED
void turn(const float* x, int64_t stride, const float* cosines, const float* sines, int64_t tokens, int64_t heads, int64_t size,
          float direction, float* out) {
  const int64_t half = size / 2;
  for (int64_t token = 0; token < tokens; ++token) {
    const float *c = cosines + token * size, *s = sines + token * size;
    for (int64_t head = 0; head < heads; ++head) {
      const float* in = x + token * stride + head * size;
      float* to = out + (token * heads + head) * size;
      for (int64_t i = 0; i < half; ++i) {
        to[i] = in[i] * c[i] - direction * in[half + i] * s[i];
        to[half + i] = in[half + i] * c[half + i] + direction * in[i] * s[half + i];
      }
    }
  }
}

}  // namespace tsrun
