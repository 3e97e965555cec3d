#pragma once

#include "model/law.h"
#include "model/simd.h"

#include <cstdint>
#if defined(TSRUN_VECTOR_TARGETS) && !defined(__clang__)
#include <immintrin.h>
#endif

/// Dropout masks from Philox 4x32-10 (Salmon et al., SC 2011).
///
/// The mask of a stream is indexed by (unit, position). Positions come in groups of 128: sixteen generator blocks, counters
/// (group * 16 + block, unit, 0, 0), four words each, two 16-bit numbers a word. Position 64 h + 16 w + b of a group takes the low (h = 0)
/// or high (h = 1) half of word w of block b. An element is dropped when its number is below p * 65536.
namespace tsrun {

namespace simd {

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

/// Numbers of the blocks [first, first + lanes) of a group, as factors (0 or scale) of their positions in `factors`.
template <int W>
TSRUN_INLINE void draw_blocks(const DropoutLaw& law, uint32_t unit, uint32_t group, int64_t first, float* factors) {
  using Words = typename Simd<W>::Words;
  using Ints = typename Simd<W>::Ints;
  using Floats = typename Simd<W>::Floats;
  Words a = {}, b = Words{} + unit, c = {}, d = {};
  for (int64_t lane = 0; lane < Simd<W>::lanes; ++lane) a[lane] = static_cast<uint32_t>(lane);
  a += group * 16u + static_cast<uint32_t>(first);
  uint32_t low = law.key_low, high = law.key_high;
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round) {
    Words high0, low0, high1, low1;
    multiply_wide<W>(a, 0xD2511F53u, high0, low0);
    multiply_wide<W>(c, 0xCD9E8D57u, high1, low1);
    a = high1 ^ b ^ low;
    c = high0 ^ d ^ high;
    b = low1;
    d = low0;
    low += 0x9E3779B9u;
    high += 0xBB67AE85u;
  }
  const int32_t threshold = static_cast<int32_t>(law.threshold);
  const Ints scale = (Ints)all<Floats>(law.scale);
  const Words words[4] = {a, b, c, d};
  float* to = factors + first;
#pragma GCC unroll 4
  for (int word = 0; word < 4; ++word) {
    const Ints early = (Ints)(words[word] & 0xffffu), late = (Ints)(words[word] >> 16);
    store(to + 16 * word, (Floats)(scale & (early >= threshold)));
    store(to + 64 + 16 * word, (Floats)(scale & (late >= threshold)));
  }
}

/// Factors (0 or scale) of the 128 positions of `group`.
template <int W>
TSRUN_INLINE void draw_group(const DropoutLaw& law, uint32_t unit, uint32_t group, float* factors) {
  for (int64_t first = 0; first < 16; first += Simd<W>::lanes) draw_blocks<W>(law, unit, group, first, factors);
}

}  // namespace simd

/// Factors of positions [begin, end) of `unit`: `factors` holds whole groups and the pointer returned is that of `begin`.
/// The buffer must hold end - begin + 2 * 128 floats.
template <int W>
TSRUN_INLINE const float* draw_factors(const DropoutLaw& law, uint32_t unit, int64_t begin, int64_t end, float* factors) {
  const int64_t first = begin / mask_group;
  for (int64_t group = first; group * mask_group < end; ++group) {
    simd::draw_group<W>(law, unit, static_cast<uint32_t>(group), factors + (group - first) * mask_group);
  }
  return factors + (begin - first * mask_group);
}

}  // namespace tsrun
