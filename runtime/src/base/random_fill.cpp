// Numbers are made in whole tiles at fixed places of the stream, always by the same compiled loop, and only with operations that IEEE 754
// rounds exactly (no library calls, no fused operations). Hence the same bits for any split, thread count, processor and vector width.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "tsrun/base/parallel.h"
#include "tsrun/base/philox_vectors.h"
#include "tsrun/base/random.h"

namespace tsrun {
namespace {

constexpr size_t tile_blocks = 64, tile_numbers = 4 * tile_blocks;
using Words = uint32_t[4][tile_blocks];

template <int W>
TSRUN_INLINE void make_words(uint64_t first_block, uint32_t low, uint32_t high, Words& words) {
  for (size_t i = 0; i < tile_blocks; ++i) {
    const uint64_t counter = first_block + i;
    words[0][i] = static_cast<uint32_t>(counter);
    words[1][i] = static_cast<uint32_t>(counter >> 32);
  }
  using Vector = typename simd::Simd<W>::Words;
  for (size_t i = 0; i < tile_blocks; i += static_cast<size_t>(simd::Simd<W>::lanes)) {
    Vector block[4] = {simd::load<Vector>(words[0] + i), simd::load<Vector>(words[1] + i), {}, {}};
    simd::philox_rounds<W>(block, low, high);
    for (size_t k = 0; k < 4; ++k) simd::store(words[k] + i, block[k]);
  }
}

// log x for normal positive x: x = m 2^e with m in [sqrt(1/2), sqrt 2); log m = 2 artanh((m-1)/(m+1)), five terms (error below 1e-9).
TSRUN_INLINE float log_of(float x) {
  const int32_t bits = std::bit_cast<int32_t>(x);
  const int32_t exponent = (bits - 0x3f3504f3) >> 23;  // 0x3f3504f3 is sqrt(1/2)
  const float m = std::bit_cast<float>(static_cast<int32_t>(static_cast<uint32_t>(bits) - (static_cast<uint32_t>(exponent) << 23)));
  const float s = (m - 1.0f) / (m + 1.0f), z = s * s;
  const float series = 1.0f + z * (1.0f / 3 + z * (1.0f / 5 + z * (1.0f / 7 + z * (1.0f / 9))));
  return static_cast<float>(exponent) * 0.693147180559945f + 2.0f * s * series;
}

// Box-Muller (Box and Muller 1958): two words to two independent standard normals; |normal| <= 6.67.
TSRUN_INLINE void normal_pair(uint32_t a, uint32_t b, float& first, float& second) {
  const float u = (static_cast<float>(static_cast<int32_t>(a >> 1)) + 0.5f) * 0x1p-31f;  // (0, 1]
  const float radius = std::sqrt(std::max(0.0f, -2.0f * log_of(u)));
  // The two upper bits choose a quadrant, the others an angle of at most pi/4 around its middle.
  const float x = (static_cast<float>(static_cast<int32_t>(b & 0x3fffffffu)) * 0x1p-30f - 0.5f) * 1.5707963267948966f, z = x * x;
  const float sine = x * (1.0f + z * (-1.0f / 6 + z * (1.0f / 120 + z * (-1.0f / 5040 + z * (1.0f / 362880)))));
  const float cosine = 1.0f + z * (-1.0f / 2 + z * (1.0f / 24 + z * (-1.0f / 720 + z * (1.0f / 40320 + z * (-1.0f / 3628800)))));
  // Choices by masks: as branches they would keep the loop from becoming vectors without AVX-512.
  const uint32_t swap = 0u - (b >> 30 & 1u), sign = b & 0x80000000u;
  const auto along = std::bit_cast<uint32_t>(radius * cosine), across = std::bit_cast<uint32_t>(radius * sine);
  first = std::bit_cast<float>(((across & swap) | (along & ~swap)) ^ sign ^ (swap & 0x80000000u));
  second = std::bit_cast<float>(((along & swap) | (across & ~swap)) ^ sign);
}

struct NormalTile {
  template <int W>
  TSRUN_INLINE static void run(uint64_t first_block, uint32_t low, uint32_t high, float mean, float deviation, float* out) {
    Words words;
    make_words<W>(first_block, low, high, words);
    float values[4][tile_blocks];
    for (size_t i = 0; i < tile_blocks; ++i) {
      normal_pair(words[0][i], words[1][i], values[0][i], values[1][i]);
      normal_pair(words[2][i], words[3][i], values[2][i], values[3][i]);
    }
    for (size_t i = 0; i < tile_blocks; ++i)
      for (size_t k = 0; k < 4; ++k) out[4 * i + k] = mean + deviation * values[k][i];
  }
};

struct UniformTile {
  template <int W>
  TSRUN_INLINE static void run(uint64_t first_block, uint32_t low, uint32_t high, float least, float width, float* out) {
    Words words;
    make_words<W>(first_block, low, high, words);
    for (size_t i = 0; i < tile_blocks; ++i)
      for (size_t k = 0; k < 4; ++k)
        out[4 * i + k] = least + width * (static_cast<float>(static_cast<int32_t>(words[k][i] >> 8)) * 0x1p-24f);
  }
};

template <class Tile>
void fill(Key key, std::span<float> out, uint64_t offset, float a, float b) {
  if (out.empty()) return;
  const auto [low, high] = key.words();
  const uint64_t end = offset + out.size(), first_tile = offset / tile_numbers, last_tile = (end - 1) / tile_numbers;
  parallel_for(static_cast<int64_t>(last_tile - first_tile + 1), 32, [&](int64_t begin_tile, int64_t end_tile) {
    for (uint64_t t = first_tile + static_cast<uint64_t>(begin_tile); t < first_tile + static_cast<uint64_t>(end_tile); ++t) {
      const uint64_t start = t * tile_numbers, from = std::max(start, offset), to = std::min(start + tile_numbers, end);
      if (to - from == tile_numbers) {
        kernel::run<Tile>(t * tile_blocks, low, high, a, b, out.data() + (start - offset));
      } else {
        float whole[tile_numbers];
        kernel::run<Tile>(t * tile_blocks, low, high, a, b, static_cast<float*>(whole));
        std::memcpy(out.data() + (from - offset), whole + (from - start), (to - from) * sizeof(float));
      }
    }
  });
}

}  // namespace

void fill_normal(Key key, std::span<float> out, uint64_t offset, float mean, float deviation) {
  fill<NormalTile>(key, out, offset, mean, deviation);
}
void fill_uniform(Key key, std::span<float> out, uint64_t offset, float low, float high) {
  fill<UniformTile>(key, out, offset, low, high - low);
}

}  // namespace tsrun
