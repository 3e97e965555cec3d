#pragma once

#include "model/simd.h"

#include <cstdint>

namespace tsrun::simd {

/// A left operand: element (i, k) is data[i * row + k * column], so a transposed matrix needs no copy.
struct Left {
  const float* data;
  int64_t row, column;
};

/// A tile of M rows and 16 N columns of c += a b, kept in registers.
template <int M, int N>
TSRUN_INLINE void multiply_tile(Left a, const float* b, int64_t b_row, float* c, int64_t c_row, int64_t depth, bool accumulate) {
  Floats tile[M][N];
  for (int i = 0; i < M; ++i) {
    for (int j = 0; j < N; ++j) tile[i][j] = accumulate ? load(c + i * c_row + j * lanes) : Floats{};
  }
  for (int64_t k = 0; k < depth; ++k) {
    Floats right[N];
    for (int j = 0; j < N; ++j) right[j] = load(b + k * b_row + j * lanes);
    for (int i = 0; i < M; ++i) {
      const float left = a.data[i * a.row + k * a.column];
      for (int j = 0; j < N; ++j) tile[i][j] += left * right[j];
    }
  }
  for (int i = 0; i < M; ++i) {
    for (int j = 0; j < N; ++j) store(c + i * c_row + j * lanes, tile[i][j]);
  }
}

template <int N>
TSRUN_INLINE void multiply_columns(Left a, const float* b, int64_t b_row, float* c, int64_t c_row, int64_t rows, int64_t depth,
                                   bool accumulate) {
  int64_t i = 0;
  for (; i + 6 <= rows; i += 6)
    multiply_tile<6, N>({a.data + i * a.row, a.row, a.column}, b, b_row, c + i * c_row, c_row, depth, accumulate);
  for (; i + 2 <= rows; i += 2)
    multiply_tile<2, N>({a.data + i * a.row, a.row, a.column}, b, b_row, c + i * c_row, c_row, depth, accumulate);
  for (; i < rows; ++i) multiply_tile<1, N>({a.data + i * a.row, a.row, a.column}, b, b_row, c + i * c_row, c_row, depth, accumulate);
}

/// c [rows, columns] = a [rows, depth] b [depth, columns], or += with `accumulate`. `columns` is a multiple of 16.
TSRUN_INLINE void multiply(Left a, const float* b, int64_t b_row, float* c, int64_t c_row, int64_t rows, int64_t columns, int64_t depth,
                           bool accumulate) {
  int64_t j = 0;
  for (; j + 2 * lanes <= columns; j += 2 * lanes) multiply_columns<2>(a, b + j, b_row, c + j, c_row, rows, depth, accumulate);
  if (j < columns) multiply_columns<1>(a, b + j, b_row, c + j, c_row, rows, depth, accumulate);
}

/// out [rows][width_padded] = rows of `in`, zero behind `width`.
TSRUN_INLINE void pack_rows(const float* in, int64_t stride, int64_t rows, int64_t width, float* out, int64_t out_row) {
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < width; ++j) out[i * out_row + j] = in[i * stride + j];
    for (int64_t j = width; j < out_row; ++j) out[i * out_row + j] = 0;
  }
}

/// out [width][rows_padded] = the transpose of `in` [rows, width], zero behind `rows`.
TSRUN_INLINE void pack_columns(const float* in, int64_t stride, int64_t rows, int64_t width, float* out, int64_t out_row) {
  for (int64_t j = 0; j < width; ++j) {
    for (int64_t i = 0; i < rows; ++i) out[j * out_row + i] = in[i * stride + j];
    for (int64_t i = rows; i < out_row; ++i) out[j * out_row + i] = 0;
  }
}

/// Writes `rows` rows, or adds them to what stands there.
TSRUN_INLINE void put_rows(const float* in, int64_t in_row, int64_t rows, int64_t width, float* out, int64_t stride, bool add) {
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < width; ++j) out[i * stride + j] = add ? out[i * stride + j] + in[i * in_row + j] : in[i * in_row + j];
  }
}

TSRUN_INLINE void unpack_rows(const float* in, int64_t in_row, int64_t rows, int64_t width, float* out, int64_t stride) {
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < width; ++j) out[i * stride + j] = in[i * in_row + j];
  }
}

}  // namespace tsrun::simd
