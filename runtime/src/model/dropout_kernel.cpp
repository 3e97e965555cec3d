#include "model/dropout_kernel.h"

#include "model/philox.h"

namespace tsrun {

TSRUN_MULTIVERSIONED
void dropout_range(const DropoutLaw& law, const float* x, float* out, int64_t begin, int64_t end) {
  float factors[mask_group];
  for (int64_t at = begin; at < end;) {
    const int64_t group = at / mask_group, start = group * mask_group;
    const int64_t stop = start + mask_group < end ? start + mask_group : end;
    simd::draw_group(law, 0, static_cast<uint32_t>(group), factors);
    for (int64_t i = at; i < stop; ++i) out[i] = x[i] * factors[i - start];
    at = stop;
  }
}

}  // namespace tsrun
