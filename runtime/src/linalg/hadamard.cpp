#include "tsrun/linalg/hadamard.h"

#include "linalg/blocks.h"
#include "tsrun/base/error.h"
#include "tsrun/base/parallel.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

// H over index bits is H over some of the bits, then over the others. A tile is a matrix of `wide` columns in cache whose rows are
// transformed against each other, whole vector registers at a time; tiles that hold the lowest bits are turned around once.
namespace tsrun {
namespace {

constexpr int64_t wide = 64, most_rows = 256;
constexpr int64_t in_cache = wide * wide;

/// tile[r][k] ← Σ_s H(r, s) tile[s][k] over `rows` rows.
struct TransformRows {
  template <int W>
  TSRUN_INLINE static void run(float* tile, int64_t rows) {
    for (int64_t half = 1; half < rows; half *= 2) {
      for (int64_t r = 0; r < rows; r += 2 * half) {
        float *upper = tile + r * wide, *lower = upper + half * wide;
#pragma GCC ivdep
        for (int64_t k = 0; k < half * wide; ++k) {
          const float a = upper[k], b = lower[k];
          upper[k] = a + b;
          lower[k] = a - b;
        }
      }
    }
  }
};

void transpose_square(const float* from, float* to) {
  for (int64_t r = 0; r < wide; ++r)
    for (int64_t k = 0; k < wide; ++k) to[k * wide + r] = from[r * wide + k];
}

void transform_short(float* x, int64_t count) {
  for (int64_t half = 1; half < count; half *= 2) {
    for (int64_t begin = 0; begin < count; begin += 2 * half) {
      for (int64_t k = begin; k < begin + half; ++k) {
        const float a = x[k], b = x[k + half];
        x[k] = a + b;
        x[k + half] = a - b;
      }
    }
  }
}

/// The levels of the lowest twelve bits.
void transform_block(float* x) {
  std::array<float, in_cache> turned;
  kernel::run<TransformRows>(x, wide);
  transpose_square(x, turned.data());
  kernel::run<TransformRows>(turned.data(), wide);
  transpose_square(turned.data(), x);
}

/// `rows` numbers `stride` apart are transformed against each other, for `wide` neighbours at once.
void transform_tile(float* x, int64_t stride, int64_t rows) {
  std::array<float, most_rows * wide> tile;
  for (int64_t r = 0; r < rows; ++r) std::copy_n(x + r * stride, wide, tile.data() + r * wide);
  kernel::run<TransformRows>(tile.data(), rows);
  for (int64_t r = 0; r < rows; ++r) std::copy_n(tile.data() + r * wide, wide, x + r * stride);
}

/// The levels of the bits from `stride` to `stride` · `rows`.
void transform_levels(float* x, int64_t count, int64_t stride, int64_t rows) {
  const int64_t across = stride / wide;
  parallel_for(count / (rows * wide), 4, [&](int64_t first, int64_t last) {
    for (int64_t tile = first; tile < last; ++tile)
      transform_tile(x + tile / across * (stride * rows) + tile % across * wide, stride, rows);
  });
}

}  // namespace

void hadamard(std::span<float> x) {
  if (!std::has_single_bit(x.size())) internal_error("hadamard: {} numbers, expected a power of two", x.size());
  const auto count = static_cast<int64_t>(x.size());
  if (count < in_cache) return transform_short(x.data(), count);
  parallel_for(count / in_cache, 4, [&](int64_t first, int64_t last) {
    for (int64_t block = first; block < last; ++block) transform_block(x.data() + block * in_cache);
  });
  for (int64_t stride = in_cache; stride < count;) {
    const int64_t rows = std::min(most_rows, count / stride);
    transform_levels(x.data(), count, stride, rows);
    stride *= rows;
  }
}

}  // namespace tsrun
