#pragma once

#include "model/law.h"
#include "model/simd.h"

#include <cstdint>

/// Dropout masks from Philox 4x32-10 (Salmon et al., SC 2011).
///
/// The mask of a stream is indexed by (unit, position). Positions come in groups of 128: sixteen generator blocks, counters
/// (group * 16 + block, unit, 0, 0), four words each, two 16-bit numbers a word. Position 64 h + 16 w + b of a group takes the low (h = 0)
/// or high (h = 1) half of word w of block b. An element is dropped when its number is below p * 65536.
namespace tsrun {

namespace simd {

TSRUN_INLINE void multiply_wide(Words x, uint32_t factor, Words& high, Words& low) {
  const Longs even = ((Longs)x & 0xffffffffull) * uint64_t{factor};
  const Longs odd = ((Longs)x >> 32) * uint64_t{factor};
  low = (Words)((even & 0xffffffffull) | (odd << 32));
  high = (Words)((even >> 32) | (odd & 0xffffffff00000000ull));
}

/// Factors (0 or scale) of the 128 positions of `group`.
TSRUN_INLINE void draw_group(const DropoutLaw& law, uint32_t unit, uint32_t group, float* factors) {
  constexpr Words ascending = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  Words a = ascending + group * 16u, b = Words{} + unit, c = {}, d = {};
  uint32_t low = law.key_low, high = law.key_high;
  for (int round = 0; round < 10; ++round) {
    Words high0, low0, high1, low1;
    multiply_wide(a, 0xD2511F53u, high0, low0);
    multiply_wide(c, 0xCD9E8D57u, high1, low1);
    a = high1 ^ b ^ low;
    c = high0 ^ d ^ high;
    b = low1;
    d = low0;
    low += 0x9E3779B9u;
    high += 0xBB67AE85u;
  }
  const int32_t threshold = static_cast<int32_t>(law.threshold);
  const Ints scale = (Ints)all(law.scale);
  const Words words[4] = {a, b, c, d};
  for (int word = 0; word < 4; ++word) {
    const Ints first = (Ints)(words[word] & 0xffffu), second = (Ints)(words[word] >> 16);
    store(factors + 16 * word, (Floats)(scale & (first >= threshold)));
    store(factors + 64 + 16 * word, (Floats)(scale & (second >= threshold)));
  }
}

}  // namespace simd

/// Factors of positions [begin, end) of `unit`: `factors` holds whole groups and the pointer returned is that of `begin`.
/// The buffer must hold end - begin + 2 * 128 floats.
TSRUN_INLINE const float* draw_factors(const DropoutLaw& law, uint32_t unit, int64_t begin, int64_t end, float* factors) {
  const int64_t first = begin / mask_group;
  for (int64_t group = first; group * mask_group < end; ++group) {
    simd::draw_group(law, unit, static_cast<uint32_t>(group), factors + (group - first) * mask_group);
  }
  return factors + (begin - first * mask_group);
}

}  // namespace tsrun
