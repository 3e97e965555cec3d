#pragma once

#include "model/dropout_mask.h"
#include "tsrun/base/philox_vectors.h"

#include <cstdint>

/// Dropout masks from Philox 4x32-10 (Salmon et al., SC 2011).
///
/// The mask of a stream is indexed by (unit, position). Positions come in groups of 128: sixteen generator blocks, counters
/// (group * 16 + block, unit, 0, 0), four words each, two 16-bit numbers a word. Position 64 h + 16 w + b of a group takes the low (h = 0)
/// or high (h = 1) half of word w of block b. An element is dropped when its number is below p * 65536.
namespace tsrun::model {

/// Numbers of the blocks [first, first + lanes) of a group, as factors (0 or scale) of their positions in `factors`.
template <int W>
TSRUN_INLINE void draw_blocks(const DropoutMask& mask, uint32_t unit, uint32_t group, int64_t first, float* factors) {
  using Words = typename simd::Simd<W>::Words;
  using Ints = typename simd::Simd<W>::Ints;
  using Floats = typename simd::Simd<W>::Floats;
  Words words[4] = {{}, Words{} + unit, {}, {}};
  for (int64_t lane = 0; lane < simd::Simd<W>::lanes; ++lane) words[0][lane] = static_cast<uint32_t>(lane);
  words[0] += group * 16u + static_cast<uint32_t>(first);
  simd::philox_rounds<W>(words, mask.key_low, mask.key_high);
  const int32_t threshold = static_cast<int32_t>(mask.threshold);
  const Ints scale = (Ints)simd::all<Floats>(mask.scale);
  float* to = factors + first;
#pragma GCC unroll 4
  for (int word = 0; word < 4; ++word) {
    const Ints early = (Ints)(words[word] & 0xffffu), late = (Ints)(words[word] >> 16);
    simd::store(to + 16 * word, (Floats)(scale & (early >= threshold)));
    simd::store(to + 64 + 16 * word, (Floats)(scale & (late >= threshold)));
  }
}

/// Factors (0 or scale) of the 128 positions of `group`.
template <int W>
TSRUN_INLINE void draw_group(const DropoutMask& mask, uint32_t unit, uint32_t group, float* factors) {
  for (int64_t first = 0; first < 16; first += simd::Simd<W>::lanes) draw_blocks<W>(mask, unit, group, first, factors);
}

/// Factors of positions [begin, end) of `unit`: `factors` holds whole groups and the pointer returned is that of `begin`.
/// The buffer must hold end - begin + 2 * 128 floats.
template <int W>
TSRUN_INLINE const float* draw_factors(const DropoutMask& mask, uint32_t unit, int64_t begin, int64_t end, float* factors) {
  const int64_t first = begin / mask_group;
  for (int64_t group = first; group * mask_group < end; ++group) {
    draw_group<W>(mask, unit, static_cast<uint32_t>(group), factors + (group - first) * mask_group);
  }
  return factors + (begin - first * mask_group);
}

}  // namespace tsrun::model
