#include "linalg/blocks.h"
#include "tsrun/base/error.h"
#include "tsrun/base/parallel.h"
#include "tsrun/linalg/rows.h"

#include <cstring>

// A skinny matrix product: a block of columns is widened to float64 in a panel, and outputs are made in register tiles of 4 rows by 4
// vectors, or 2 where there are fewer registers.
namespace tsrun {
namespace {

constexpr int64_t tile_rows = 4, block = 256;

struct Product {
  const double* coefficients;  // padded outputs x rows
  const double* panel;         // rows x block
  float* results;              // padded outputs x block
  int64_t outputs, rows;
};

struct ProductTiles {
  /// Vectors of a tile: as many as the registers hold beside the sums' operands.
  template <int W>
  static constexpr int64_t vectors = W >= 8 ? 4 : 2;

  template <int W>
  TSRUN_INLINE static void tile(const Product& p, int64_t i, int64_t at) {
    using Vector = typename linalg::Lanes<W>::Vector;
    typedef float Narrow __attribute__((vector_size(W * sizeof(float))));
    Vector sums[tile_rows][vectors<W>] = {};
    const double* coefficients = p.coefficients + i * p.rows;
    for (int64_t j = 0; j < p.rows; ++j) {
      Vector x[vectors<W>];
#pragma GCC unroll 4
      for (int64_t v = 0; v < vectors<W>; ++v) std::memcpy(&x[v], p.panel + j * block + at + v * W, sizeof(Vector));
#pragma GCC unroll 4
      for (int64_t r = 0; r < tile_rows; ++r) {
#pragma GCC unroll 4
        for (int64_t v = 0; v < vectors<W>; ++v) sums[r][v] += coefficients[r * p.rows + j] * x[v];
      }
    }
#pragma GCC unroll 4
    for (int64_t r = 0; r < tile_rows; ++r) {
#pragma GCC unroll 4
      for (int64_t v = 0; v < vectors<W>; ++v) {
        const Narrow rounded = __builtin_convertvector(sums[r][v], Narrow);
        std::memcpy(p.results + (i + r) * block + at + v * W, &rounded, sizeof(Narrow));
      }
    }
  }

  template <int W>
  TSRUN_INLINE static void run(const Product& p) {
    for (int64_t i = 0; i < p.outputs; i += tile_rows)
      for (int64_t at = 0; at < block; at += vectors<W> * W) tile<W>(p, i, at);
  }
};

/// Columns [begin, begin + count) of all outputs, by way of `results`, so that outputs may be inputs.
template <class Element>
void combine_block(const SmallMatrix& coefficients, const Rows& rows, int64_t begin, int64_t count, std::vector<double>& panel,
                   std::vector<float>& results, std::span<float* const> out) {
  for (int64_t r = 0; r < rows.count(); ++r) {
    const auto* from = static_cast<const Element*>(rows.data[static_cast<size_t>(r)]) + begin;
    kernel::run<linalg::Widen<Element>>(from, count, block, panel.data() + r * block);
  }
  kernel::run<ProductTiles>(Product{coefficients.values.data(), panel.data(), results.data(), coefficients.rows, rows.count()});
  for (size_t i = 0; i < out.size(); ++i)
    std::memcpy(out[i] + begin, results.data() + static_cast<int64_t>(i) * block, static_cast<size_t>(count) * sizeof(float));
}

SmallMatrix padded(const SmallMatrix& matrix) {
  SmallMatrix result((matrix.rows + tile_rows - 1) / tile_rows * tile_rows, matrix.columns);
  std::copy(matrix.values.begin(), matrix.values.end(), result.values.begin());
  return result;
}

}  // namespace

void combine(const SmallMatrix& matrix, const Rows& rows, std::span<float* const> out) {
  if (matrix.columns != rows.count() || matrix.rows != static_cast<int64_t>(out.size()))
    internal_error("combine: a {} x {} matrix for {} rows and {} outputs", matrix.rows, matrix.columns, rows.count(), out.size());
  const SmallMatrix coefficients = padded(matrix);
  linalg::with_element(rows.type, [&](auto element) {
    parallel_for((rows.columns + block - 1) / block, 16, [&](int64_t first, int64_t last) {
      std::vector<double> panel(static_cast<size_t>(rows.count() * block));
      std::vector<float> results(static_cast<size_t>(coefficients.rows * block));
      for (int64_t b = first; b < last; ++b)
        combine_block<decltype(element)>(coefficients, rows, b * block, std::min(block, rows.columns - b * block), panel, results, out);
    });
  });
}

}  // namespace tsrun
