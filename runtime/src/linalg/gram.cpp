#include "linalg/blocks.h"
#include "tsrun/base/parallel.h"
#include "tsrun/linalg/rows.h"

#include <cstring>

// Rows are widened block by block into float64 panels that fit the second-level cache; pairs of rows are multiplied in register tiles of
// 4 x 4, or 4 x 2 where there are fewer registers. Only tiles that touch the lower triangle are computed.
namespace tsrun {
namespace {

constexpr int64_t tile_rows = 4;

int64_t padded(int64_t rows) { return (rows + tile_rows - 1) / tile_rows * tile_rows; }
int64_t panel_columns(int64_t rows) { return rows <= 128 ? 512 : 128; }

constexpr int64_t most_lanes = 8;

struct Panel {
  double* values;  // padded rows x width, row-major
  int64_t rows;    // padded
  int64_t width;   // a multiple of 8; columns beyond the data are zero
  double* result;  // padded x padded x most_lanes; += panel · panelᵀ, one sum a lane
};

struct TileProducts {
  /// Columns of a tile: as many as the registers hold beside the sums' operands.
  template <int W>
  static constexpr int64_t columns = W >= 8 ? 4 : 2;

  template <int W>
  TSRUN_INLINE static void tile(const Panel& panel, int64_t i, int64_t j) {
    using Vector = typename linalg::Lanes<W>::Vector;
    Vector sums[tile_rows][columns<W>] = {};
    const double* a = panel.values + i * panel.width;
    const double* b = panel.values + j * panel.width;
    for (int64_t k = 0; k < panel.width; k += W) {
      Vector of_b[columns<W>];
#pragma GCC unroll 4
      for (int64_t c = 0; c < columns<W>; ++c) std::memcpy(&of_b[c], b + c * panel.width + k, sizeof(Vector));
#pragma GCC unroll 4
      for (int64_t r = 0; r < tile_rows; ++r) {
        Vector row;
        std::memcpy(&row, a + r * panel.width + k, sizeof(Vector));
#pragma GCC unroll 4
        for (int64_t c = 0; c < columns<W>; ++c) sums[r][c] += row * of_b[c];
      }
    }
#pragma GCC unroll 4
    for (int64_t r = 0; r < tile_rows; ++r) {
#pragma GCC unroll 4
      for (int64_t c = 0; c < columns<W>; ++c) {
        double* result = panel.result + ((i + r) * panel.rows + j + c) * most_lanes;
        Vector before;
        std::memcpy(&before, result, sizeof(Vector));
        before += sums[r][c];
        std::memcpy(result, &before, sizeof(Vector));
      }
    }
  }

  template <int W>
  TSRUN_INLINE static void run(const Panel& panel) {
    for (int64_t i = 0; i < panel.rows; i += tile_rows)
      for (int64_t j = 0; j < i + tile_rows; j += columns<W>) tile<W>(panel, i, j);
  }
};

/// result (padded x padded) of columns [begin, end).
template <class Element>
void accumulate_unit(const Rows& rows, int64_t begin, int64_t end, double* result) {
  const int64_t count = padded(rows.count()), block = panel_columns(rows.count());
  std::vector<double> values(static_cast<size_t>(count * block)), lanes(static_cast<size_t>(count * count * most_lanes), 0.0);
  for (int64_t at = begin; at < end; at += block) {
    const int64_t columns = std::min(block, end - at), width = (columns + 7) / 8 * 8;
    for (int64_t r = 0; r < rows.count(); ++r) {
      const auto* from = static_cast<const Element*>(rows.data[static_cast<size_t>(r)]) + at;
      kernel::run<linalg::Widen<Element>>(from, columns, width, values.data() + r * width);
    }
    std::fill(values.begin() + rows.count() * width, values.begin() + count * width, 0.0);
    kernel::run<TileProducts>(Panel{values.data(), count, width, lanes.data()});
  }
  for (int64_t e = 0; e < count * count; ++e)
    for (int64_t lane = 0; lane < most_lanes; ++lane) result[e] += lanes[static_cast<size_t>(e * most_lanes + lane)];
}

SmallMatrix sum_units(const std::vector<double>& partial, int64_t units, int64_t rows) {
  SmallMatrix sum(rows, rows);
  const int64_t count = padded(rows);
  for (int64_t u = 0; u < units; ++u)
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j <= i; ++j) sum(i, j) += partial[static_cast<size_t>((u * count + i) * count + j)];
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < i; ++j) sum(j, i) = sum(i, j);
  return sum;
}

}  // namespace

SmallMatrix gram(const Rows& rows) {
  const linalg::Units units = linalg::cut(rows.columns);
  const int64_t count = padded(rows.count());
  std::vector<double> partial(static_cast<size_t>(units.count * count * count), 0.0);
  linalg::with_element(rows.type, [&](auto element) {
    parallel_for(units.count, 1, [&](int64_t first, int64_t last) {
      for (int64_t u = first; u < last; ++u)
        accumulate_unit<decltype(element)>(rows, units.begin(u), units.end(u), partial.data() + u * count * count);
    });
  });
  return sum_units(partial, units.count, rows.count());
}

}  // namespace tsrun
