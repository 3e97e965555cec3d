#include "model/dropout_kernel.h"

#include "model/philox.h"

namespace tsrun::model {
namespace {

struct DropRange {
  template <int W>
  TSRUN_INLINE static void run(const DropoutMask& mask, const float* x, float* out, int64_t begin, int64_t end) {
    using Floats = typename simd::Simd<W>::Floats;
    float factors[mask_group];
    for (int64_t at = begin; at < end;) {
      const int64_t group = at / mask_group, start = group * mask_group;
      const int64_t stop = start + mask_group < end ? start + mask_group : end;
      draw_group<W>(mask, 0, static_cast<uint32_t>(group), factors);
      int64_t i = at;
      for (; i + simd::Simd<W>::lanes <= stop; i += simd::Simd<W>::lanes)
        simd::store(out + i, simd::load<Floats>(x + i) * simd::load<Floats>(factors + i - start));
      for (; i < stop; ++i) out[i] = x[i] * factors[i - start];
      at = stop;
    }
  }
};

}  // namespace

void dropout_range(const DropoutMask& mask, const float* x, float* out, int64_t begin, int64_t end) {
  kernel::run<DropRange>(mask, x, out, begin, end);
}

}  // namespace tsrun::model
