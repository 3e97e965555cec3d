#pragma once

#include "tsrun/base/simd.h"

#include <cstdint>

namespace tsrun::model {

/// A left operand: element (i, k) is data[i * row + k * column], so a transposed matrix needs no copy.
struct Left {
  const float* data;
  int64_t row, column;
  TSRUN_INLINE Left from(int64_t i) const { return {data + i * row, row, column}; }
};

/// Rows of a tile: with two vectors of columns, sums, right operand and one factor fill the registers; SSE, without fused multiply-add,
/// needs one more for products.
template <int W>
constexpr int64_t tile_rows = W == 2 ? 4 : 6;

/// A tile of M rows and N vectors of columns of c += a b, kept in registers.
template <int W, int M, int N>
TSRUN_INLINE void multiply_tile(Left a, const float* b, int64_t b_row, float* c, int64_t c_row, int64_t depth, bool accumulate) {
  using Floats = typename simd::Simd<W>::Floats;
  constexpr int64_t lanes = simd::Simd<W>::lanes;
  Floats tile[M][N];
#pragma GCC unroll 8
  for (int i = 0; i < M; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < N; ++j) tile[i][j] = accumulate ? simd::load<Floats>(c + i * c_row + j * lanes) : Floats{};
  }
  for (int64_t k = 0; k < depth; ++k) {
    Floats right[N];
#pragma GCC unroll 2
    for (int j = 0; j < N; ++j) right[j] = simd::load<Floats>(b + k * b_row + j * lanes);
#pragma GCC unroll 8
    for (int i = 0; i < M; ++i) {
      const float left = a.data[i * a.row + k * a.column];
#pragma GCC unroll 2
      for (int j = 0; j < N; ++j) tile[i][j] += left * right[j];
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < M; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < N; ++j) simd::store(c + i * c_row + j * lanes, tile[i][j]);
  }
}

template <int W, int N>
TSRUN_INLINE void multiply_columns(Left a, const float* b, int64_t b_row, float* c, int64_t c_row, int64_t rows, int64_t depth,
                                   bool accumulate) {
  constexpr int64_t M = tile_rows<W>;
  int64_t i = 0;
  for (; i + M <= rows; i += M) multiply_tile<W, M, N>(a.from(i), b, b_row, c + i * c_row, c_row, depth, accumulate);
  for (; i + 2 <= rows; i += 2) multiply_tile<W, 2, N>(a.from(i), b, b_row, c + i * c_row, c_row, depth, accumulate);
  if (i < rows) multiply_tile<W, 1, N>(a.from(i), b, b_row, c + i * c_row, c_row, depth, accumulate);
}

/// c [rows, columns] = a [rows, depth] b [depth, columns], or += with `accumulate`. `columns` is a multiple of the lanes.
template <int W>
TSRUN_INLINE void multiply(Left a, const float* b, int64_t b_row, float* c, int64_t c_row, int64_t rows, int64_t columns, int64_t depth,
                           bool accumulate) {
  constexpr int64_t lanes = simd::Simd<W>::lanes;
  int64_t j = 0;
  for (; j + 2 * lanes <= columns; j += 2 * lanes) multiply_columns<W, 2>(a, b + j, b_row, c + j, c_row, rows, depth, accumulate);
  if (j < columns) multiply_columns<W, 1>(a, b + j, b_row, c + j, c_row, rows, depth, accumulate);
}

/// out [rows][out_row] = rows of `in`, zero behind `width`.
TSRUN_INLINE void pack_rows(const float* in, int64_t stride, int64_t rows, int64_t width, float* out, int64_t out_row) {
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < width; ++j) out[i * out_row + j] = in[i * stride + j];
    for (int64_t j = width; j < out_row; ++j) out[i * out_row + j] = 0;
  }
}

/// Transposes 4 rows of 4 numbers.
TSRUN_INLINE void transpose_square(const float* in, int64_t stride, float* out, int64_t out_row) {
  using Four = simd::Simd<2>::Floats;
  const Four a = simd::load<Four>(in), b = simd::load<Four>(in + stride), c = simd::load<Four>(in + 2 * stride),
             d = simd::load<Four>(in + 3 * stride);
  const Four ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5), ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const Four cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5), cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  simd::store(out, __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5));
  simd::store(out + out_row, __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7));
  simd::store(out + 2 * out_row, __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5));
  simd::store(out + 3 * out_row, __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7));
}

/// out [width][out_row] = the transpose of `in` [rows, width], zero behind `rows`.
TSRUN_INLINE void pack_columns(const float* in, int64_t stride, int64_t rows, int64_t width, float* out, int64_t out_row) {
  const int64_t squares = rows / 4 * 4, columns = width / 4 * 4;
  for (int64_t i = 0; i < squares; i += 4) {
    for (int64_t j = 0; j < columns; j += 4) transpose_square(in + i * stride + j, stride, out + j * out_row + i, out_row);
  }
  for (int64_t j = 0; j < width; ++j) {
    for (int64_t i = j < columns ? squares : 0; i < rows; ++i) out[j * out_row + i] = in[i * stride + j];
    for (int64_t i = rows; i < out_row; ++i) out[j * out_row + i] = 0;
  }
}

/// Writes `rows` rows, or adds them to what stands there.
TSRUN_INLINE void put_rows(const float* in, int64_t in_row, int64_t rows, int64_t width, float* out, int64_t stride, bool add) {
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < width; ++j) out[i * stride + j] = add ? out[i * stride + j] + in[i * in_row + j] : in[i * in_row + j];
  }
}

}  // namespace tsrun::model
