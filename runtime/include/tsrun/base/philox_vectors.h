#pragma once

#include "tsrun/base/philox.h"
#include "tsrun/base/simd.h"

#include <cstdint>
#if defined(TSRUN_VECTOR_TARGETS) && !defined(__clang__)
#include <immintrin.h>
#endif

/// Philox 4x32-10 for a block of the generator in every lane, bit for bit as philox::block (base/philox.h).
namespace tsrun::simd {

/// Products of the even 32-bit numbers of x and y, 64 bits each. The compiler would multiply all 64 bits with each other.
template <int W>
TSRUN_INLINE typename Simd<W>::Longs multiply_even(typename Simd<W>::Longs x, typename Simd<W>::Longs y) {
  using Longs = typename Simd<W>::Longs;
#if defined(TSRUN_VECTOR_TARGETS) && !defined(__clang__)
  if constexpr (W == 8) return (Longs)__builtin_ia32_pmuludq512_mask((__v16si)x, (__v16si)y, __v8di{}, static_cast<unsigned char>(-1));
  if constexpr (W == 4) return (Longs)__builtin_ia32_pmuludq256((__v8si)x, (__v8si)y);
  if constexpr (W == 2) return (Longs)__builtin_ia32_pmuludq128((__v4si)x, (__v4si)y);
#endif
  return (x & 0xffffffffull) * (y & 0xffffffffull);
}

template <int W>
TSRUN_INLINE void multiply_wide(typename Simd<W>::Words x, uint32_t factor, typename Simd<W>::Words& high, typename Simd<W>::Words& low) {
  using Longs = typename Simd<W>::Longs;
  using Words = typename Simd<W>::Words;
  const Longs factors = Longs{} + uint64_t{factor};
  const Longs even = multiply_even<W>((Longs)x, factors), odd = multiply_even<W>((Longs)x >> 32, factors);
  low = (Words)((even & 0xffffffffull) | (odd << 32));
  high = (Words)((even >> 32) | (odd & 0xffffffff00000000ull));
}

/// All rounds, in place.
template <int W>
TSRUN_INLINE void philox_rounds(typename Simd<W>::Words (&words)[4], uint32_t low, uint32_t high) {
  using Words = typename Simd<W>::Words;
#pragma GCC unroll 10
  for (int round = 0; round < philox::rounds; ++round) {
    Words high0, low0, high1, low1;
    multiply_wide<W>(words[0], philox::multiplier_0, high0, low0);
    multiply_wide<W>(words[2], philox::multiplier_1, high1, low1);
    words[0] = high1 ^ words[1] ^ low;
    words[2] = high0 ^ words[3] ^ high;
    words[1] = low1;
    words[3] = low0;
    low += philox::weyl_0;
    high += philox::weyl_1;
  }
}

}  // namespace tsrun::simd
