#pragma once

#include "tsrun/base/dispatch.h"

#include <cstdint>

/// Vectors of 32-bit numbers for kernels (tsrun/base/vectors.h): Simd<W> fills registers of W doubles. Everything here is inlined into the
/// kernels; no vector crosses a call.
namespace tsrun::simd {

template <int W>
struct Simd {
  static constexpr int64_t lanes = 2 * W;
  typedef float Floats __attribute__((vector_size(W * 8)));
  typedef int32_t Ints __attribute__((vector_size(W * 8)));
  typedef uint32_t Words __attribute__((vector_size(W * 8)));
  typedef uint64_t Longs __attribute__((vector_size(W * 8)));
  static constexpr int64_t padded(int64_t n) { return (n + lanes - 1) / lanes * lanes; }
};

template <class Vector>
TSRUN_INLINE Vector load(const void* from) {
  Vector value;
  __builtin_memcpy(&value, from, sizeof value);
  return value;
}
template <class Vector>
TSRUN_INLINE void store(void* to, Vector value) {
  __builtin_memcpy(to, &value, sizeof value);
}
template <class Vector>
TSRUN_INLINE Vector all(float value) {
  return Vector{} + value;
}
template <class Vector>
TSRUN_INLINE Vector larger(Vector a, Vector b) {
  return a > b ? a : b;
}

/// Folds a vector's upper half onto its lower one until one number is left.
template <class Vector, class Operation>
TSRUN_INLINE float fold(Vector value, Operation operation) {
  if constexpr (sizeof(Vector) == 64) {
    return fold(operation(__builtin_shufflevector(value, value, 0, 1, 2, 3, 4, 5, 6, 7),
                          __builtin_shufflevector(value, value, 8, 9, 10, 11, 12, 13, 14, 15)),
                operation);
  } else if constexpr (sizeof(Vector) == 32) {
    return fold(operation(__builtin_shufflevector(value, value, 0, 1, 2, 3), __builtin_shufflevector(value, value, 4, 5, 6, 7)), operation);
  } else {
    const Vector pairs = operation(value, __builtin_shufflevector(value, value, 2, 3, 0, 1));
    return operation(pairs, __builtin_shufflevector(pairs, pairs, 1, 0, 3, 2))[0];
  }
}

struct Add {
  template <class Vector>
  TSRUN_INLINE Vector operator()(Vector a, Vector b) const {
    return a + b;
  }
};
struct Larger {
  template <class Vector>
  TSRUN_INLINE Vector operator()(Vector a, Vector b) const {
    return larger(a, b);
  }
};

template <class Vector>
TSRUN_INLINE float sum(Vector value) {
  return fold(value, Add{});
}
template <class Vector>
TSRUN_INLINE float maximum(Vector value) {
  return fold(value, Larger{});
}

/// e^x to about 2 units in the last place; 0 below -87, where the result would be subnormal. x must not exceed 88.
template <int W>
TSRUN_INLINE typename Simd<W>::Floats exponential(typename Simd<W>::Floats x) {
  using Floats = typename Simd<W>::Floats;
  using Ints = typename Simd<W>::Ints;
  constexpr float log2e = 1.44269504f, ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
  constexpr float rounder = 12582912.0f;  // 1.5 * 2^23: adding it leaves the nearest integer in the low mantissa bits
  const Floats least = all<Floats>(-87.0f);
  const Ints lost = x < least;  // not a number stays what it is
  x = x < least ? least : x;
  const Floats shifted = x * log2e + rounder;
  const Floats whole = shifted - rounder;
  const Floats rest = x - whole * ln2_high - whole * ln2_low;
  Floats series = all<Floats>(1.0f / 5040);
  series = series * rest + 1.0f / 720;
  series = series * rest + 1.0f / 120;
  series = series * rest + 1.0f / 24;
  series = series * rest + 1.0f / 6;
  series = series * rest + 0.5f;
  series = series * rest + 1.0f;
  series = series * rest + 1.0f;
  const Ints power = ((Ints)shifted - 0x4B400000 + 127) << 23;
  return (Floats)((Ints)(series * (Floats)power) & ~lost);
}

}  // namespace tsrun::simd
