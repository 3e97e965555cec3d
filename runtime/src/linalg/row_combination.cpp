#include "tsrun/linalg/row_combination.h"

#include "tsrun/base/dispatch.h"
#include "tsrun/base/parallel.h"

namespace tsrun {
namespace {

struct CombineRow {
  template <int W, class T>
  TSRUN_INLINE static void run(const T* __restrict x, int64_t width, T own, const T* __restrict direction, T factor, T* __restrict out) {
    for (int64_t i = 0; i < width; ++i) out[i] = own * x[i] + factor * direction[i];
  }
};

template <class T>
void combine(const T* x, int64_t rows, int64_t width, const T* own, const T* direction, const T* factor, T* out) {
  parallel_for(rows, 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) kernel::run<CombineRow>(x + i * width, width, own[i], direction, factor[i], out + i * width);
  });
}

}  // namespace

void combine_rows(const float* x, int64_t rows, int64_t width, const float* own, const float* direction, const float* factor, float* out) {
  combine(x, rows, width, own, direction, factor, out);
}

void combine_rows(const double* x, int64_t rows, int64_t width, const double* own, const double* direction, const double* factor,
                  double* out) {
  combine(x, rows, width, own, direction, factor, out);
}

}  // namespace tsrun
