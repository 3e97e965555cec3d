#pragma once

#include "tsrun/base/dispatch.h"

#include <cstdint>

namespace tsrun::linalg {

/// Σ_k a_k b_k in float64, in sixteen sums side by side.
template <class T>
TSRUN_INLINE double wide_dot(const T* a, const T* b, int64_t count) {
  constexpr int64_t partial = 16;
  double sums[partial] = {};
  int64_t k = 0;
  for (; k + partial <= count; k += partial) {
#pragma GCC unroll 16
    for (int64_t l = 0; l < partial; ++l) sums[l] += static_cast<double>(a[k + l]) * static_cast<double>(b[k + l]);
  }
  for (; k < count; ++k) sums[k % partial] += static_cast<double>(a[k]) * static_cast<double>(b[k]);
  double sum = 0;
  for (const double each : sums) sum += each;
  return sum;
}

}  // namespace tsrun::linalg
