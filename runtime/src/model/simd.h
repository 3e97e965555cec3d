#pragma once

#include <cstdint>

/// Sixteen-lane vectors of the compiler, and the attribute that compiles a kernel once per instruction set and picks at load time.
/// Everything here is inlined into such kernels; no vector crosses a call.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define TSRUN_MULTIVERSIONED __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else  // sanitizers instrument the load-time resolvers, which then run too early
#define TSRUN_MULTIVERSIONED
#endif
#define TSRUN_INLINE __attribute__((always_inline)) inline

namespace tsrun::simd {

constexpr int64_t lanes = 16;
using Floats = float __attribute__((vector_size(64)));
using Ints = int32_t __attribute__((vector_size(64)));
using Words = uint32_t __attribute__((vector_size(64)));
using Longs = uint64_t __attribute__((vector_size(64)));

constexpr int64_t padded(int64_t n) { return (n + lanes - 1) / lanes * lanes; }

TSRUN_INLINE Floats load(const float* from) {
  Floats value;
  __builtin_memcpy(&value, from, sizeof value);
  return value;
}
TSRUN_INLINE void store(float* to, Floats value) { __builtin_memcpy(to, &value, sizeof value); }
TSRUN_INLINE Floats all(float value) { return Floats{} + value; }
TSRUN_INLINE Floats larger(Floats a, Floats b) { return a > b ? a : b; }

TSRUN_INLINE float sum(Floats value) {
  float total = 0;
  for (int i = 0; i < lanes; ++i) total += value[i];
  return total;
}
TSRUN_INLINE float maximum(Floats value) {
  float most = value[0];
  for (int i = 1; i < lanes; ++i) most = value[i] > most ? value[i] : most;
  return most;
}

/// e^x to about 2 units in the last place; 0 below -87, where the result would be subnormal. x must not exceed 88.
TSRUN_INLINE Floats exponential(Floats x) {
  constexpr float log2e = 1.44269504f, ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
  constexpr float rounder = 12582912.0f;  // 1.5 * 2^23: adding it leaves the nearest integer in the low mantissa bits
  const Ints kept = x > -87.0f;
  x = larger(x, all(-87.0f));
  const Floats shifted = x * log2e + rounder;
  const Floats whole = shifted - rounder;
  const Floats rest = x - whole * ln2_high - whole * ln2_low;
  Floats series = all(1.0f / 5040);
  series = series * rest + 1.0f / 720;
  series = series * rest + 1.0f / 120;
  series = series * rest + 1.0f / 24;
  series = series * rest + 1.0f / 6;
  series = series * rest + 0.5f;
  series = series * rest + 1.0f;
  series = series * rest + 1.0f;
  const Ints power = ((Ints)shifted - 0x4B400000 + 127) << 23;
  return (Floats)((Ints)(series * (Floats)power) & kept);
}

}  // namespace tsrun::simd
