#include "tsrun/linalg/nearest_units.h"

#include "linalg/rounded_units.h"
#include "linalg/wide_dot.h"
#include "tsrun/base/parallel.h"
#include "tsrun/base/simd.h"

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

namespace tsrun {
namespace {

using simd::Simd;

constexpr int64_t rows_of_block = 5 * linalg::RoundedUnits::tile;  ///< rows that stay in the second cache while panels pass

/// Adds the products of the 16-bit halves of words, in twos: the same sums in one instruction (AVX512-VNNI) or in two.
template <bool Fused, class Words>
TSRUN_INLINE void add_products(Words& sum, Words a, Words b) {
#ifdef TSRUN_VECTOR_TARGETS
  if constexpr (Fused) {
    asm("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
  } else if constexpr (sizeof(Words) == 16) {
    asm("pmaddwd %1, %0" : "+x"(a) : "x"(b));
    sum += a;
  } else {
    Words products;
    asm("vpmaddwd %2, %1, %0" : "=v"(products) : "v"(a), "v"(b));
    sum += products;
  }
#else
  sum += (a << 16 >> 16) * (b << 16 >> 16) + (a >> 16) * (b >> 16);
#endif
}

/// The processor has it, for vectors of 64 bytes.
bool adds_products_at_once() {
#ifdef TSRUN_VECTOR_TARGETS
  static const bool has = __builtin_cpu_supports("avx512vnni") > 0;
  return has && vectors() == Vectors::avx512;
#else
  return false;
#endif
}

/// Columns of a panel and rows of a tile.
template <int W>
constexpr int64_t panel_columns = 2 * Simd<W>::lanes;
template <int W>
constexpr int64_t rows_of_tile = W == 2 ? 4 : 6;

struct PanelColumns {
  template <int W>
  TSRUN_INLINE static void run(int64_t& columns) {
    columns = panel_columns<W>;
  }
};

int64_t columns_of_panel() {
  int64_t columns = 0;
  kernel::run<PanelColumns>(columns);
  return columns;
}

struct DotUnits {
  template <int W>
  TSRUN_INLINE static void run(const float* a, const float* b, int64_t width, double& sum) {
    sum = linalg::wide_dot(a, b, width);
  }
};

/// The search: lists, and the bounds that follow them.
class UnitSearch {
 public:
  UnitSearch(const float* rows, int64_t count, int64_t width, int64_t k)
      : rows_(rows), count_(count), width_(width), rounded_(rows, count, width, columns_of_panel()), lists_(count, k) {
    bounds_ = std::vector<std::atomic<int32_t>>(static_cast<size_t>(rounded_.rows()));
    for (int64_t i = 0; i < rounded_.rows(); ++i) set_bound(i, open(i) ? none : closed);
    for (int64_t i = 0; i < count; ++i)
      if (rounded_.zero(i)) list_lowest(i);
  }

  void run();
  LargestLists take() { return std::move(lists_); }

  const linalg::RoundedUnits& rounded() const { return rounded_; }
  int32_t bound(int64_t i) const { return bounds_[static_cast<size_t>(i)].load(std::memory_order_relaxed); }
  /// Looks at `rows` x `columns` products of whole numbers, the first of which is that of (`row`, `column`).
  void look(const int32_t* products, int64_t row, int64_t rows, int64_t column, int64_t columns);

 private:
  static constexpr int32_t none = -linalg::RoundedUnits::largest, closed = linalg::RoundedUnits::largest;

  bool open(int64_t i) const { return rounded_.finite(i) && !rounded_.zero(i); }
  void set_bound(int64_t i, int32_t bound) { bounds_[static_cast<size_t>(i)].store(bound, std::memory_order_relaxed); }
  void list_lowest(int64_t zero);
  void meet(int64_t row, int64_t column);
  void offer(int64_t row, int64_t column, float value);

  const float* rows_;
  int64_t count_, width_;
  linalg::RoundedUnits rounded_;
  LargestLists lists_;
  std::vector<std::atomic<int32_t>> bounds_;  ///< closed for rows that need no offers; one behind its list lets more pass
};

/// A panel of columns against the rows of a block.
template <bool Fused>
struct MeetPanel {
  template <int W>
  TSRUN_INLINE static void run(UnitSearch& search, int64_t begin, int64_t end, int64_t column) {
    using Ints = typename Simd<W>::Ints;
    constexpr int64_t M = rows_of_tile<W>, columns = panel_columns<W>;
    const linalg::RoundedUnits& rounded = search.rounded();
    const int32_t* panel = rounded.panel(column);
    int32_t bounds[columns];
    const auto read_bounds = [&] {
      for (int64_t j = 0; j < columns; ++j) bounds[j] = search.bound(column + j);
    };
    read_bounds();
    for (int64_t i = begin; i < end && i < column + columns; i += M) {
      Ints tile[M][2];
      multiply<W>(rounded.row(i), panel, rounded.pairs(), tile);
      Ints below = {};  // signs of differences: comparisons of vectors of 64 bytes become scalar in code that is inlined late
#pragma GCC unroll 8
      for (int64_t m = 0; m < M; ++m) {
        const Ints own = Ints{} + search.bound(i + m);
#pragma GCC unroll 2
        for (int64_t n = 0; n < 2; ++n) {
          const Ints other = simd::load<Ints>(bounds + n * Simd<W>::lanes);
          below |= (own - tile[m][n]) | (other - tile[m][n]);
        }
      }
      if (!any_negative<W>(below)) continue;
      int32_t products[M * columns];
      for (int64_t m = 0; m < M; ++m)
        simd::store(products + m * columns, tile[m][0]), simd::store(products + m * columns + Simd<W>::lanes, tile[m][1]);
      search.look(products, i, M, column, columns);
      read_bounds();
    }
  }

 private:
  template <int W>
  TSRUN_INLINE static void multiply(const int32_t* rows, const int32_t* panel, int64_t pairs,
                                    typename Simd<W>::Ints (&to)[rows_of_tile<W>][2]) {
    using Ints = typename Simd<W>::Ints;
    constexpr int64_t M = rows_of_tile<W>, lanes = Simd<W>::lanes;
    Ints tile[M][2] = {};
    for (int64_t k = 0; k < pairs; ++k) {
      const Ints first = simd::load<Ints>(panel + k * 2 * lanes), second = simd::load<Ints>(panel + k * 2 * lanes + lanes);
#pragma GCC unroll 8
      for (int64_t m = 0; m < M; ++m) {
        const Ints left = Ints{} + rows[m * pairs + k];
        add_products<Fused && W == 8>(tile[m][0], left, first);
        add_products<Fused && W == 8>(tile[m][1], left, second);
      }
    }
#pragma GCC unroll 8
    for (int64_t m = 0; m < M; ++m) to[m][0] = tile[m][0], to[m][1] = tile[m][1];
  }
  template <int W>
  TSRUN_INLINE static bool any_negative(typename Simd<W>::Ints differences) {
    uint64_t twos[W], all = 0;
    simd::store(twos, differences);
#pragma GCC unroll 8
    for (int64_t i = 0; i < W; ++i) all |= twos[i];
    return (all & 0x8000000080000000U) != 0;
  }
};

void UnitSearch::run() {
  const int64_t blocks = (rounded_.rows() + rows_of_block - 1) / rows_of_block, panel = columns_of_panel();
  const auto meet_panel = [this, fused = adds_products_at_once()](int64_t begin, int64_t end, int64_t column) {
    fused ? kernel::run<MeetPanel<true>>(*this, begin, end, column) : kernel::run<MeetPanel<false>>(*this, begin, end, column);
  };
  std::vector<std::pair<int64_t, int64_t>> tasks;  // the diagonal first: every list has something before most columns pass
  for (int64_t apart = 0; apart < blocks; ++apart)
    for (int64_t i = 0; i + apart < blocks; ++i) tasks.emplace_back(i * rows_of_block, (i + apart) * rows_of_block);
  parallel_for(static_cast<int64_t>(tasks.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const auto [row, column] = tasks[static_cast<size_t>(t)];
      for (int64_t j = column; j < std::min(column + rows_of_block, rounded_.rows()); j += panel)
        meet_panel(row, std::min(row + rows_of_block, rounded_.rows()), j);
    }
  });
}

void UnitSearch::look(const int32_t* products, int64_t row, int64_t rows, int64_t column, int64_t columns) {
  for (int64_t i = row; i < std::min(row + rows, count_); ++i)
    for (int64_t j = column; j < std::min(column + columns, count_); ++j) {
      const int32_t product = products[(i - row) * columns + j - column];
      if (j > i && product > std::min(bound(i), bound(j))) meet(i, j);
    }
}

void UnitSearch::meet(int64_t row, int64_t column) {
  double product = 0;
  kernel::run<DotUnits>(rows_ + row * width_, rows_ + column * width_, width_, product);
  offer(row, column, static_cast<float>(product));
  offer(column, row, static_cast<float>(product));
}

void UnitSearch::offer(int64_t row, int64_t column, float value) {
  if (open(row) && rounded_.finite(column)) set_bound(row, rounded_.below(lists_.offer(row, column, value)));
}

/// All products of a zero row are equal.
void UnitSearch::list_lowest(int64_t zero) {
  int64_t left = lists_.k();
  for (int64_t j = 0; j < count_ && left > 0; ++j) {
    if (j == zero || !rounded_.finite(j)) continue;
    lists_.offer(zero, j, 0);
    --left;
  }
}

}  // namespace

LargestLists nearest_units(const float* rows, int64_t count, int64_t width, int64_t k) {
  UnitSearch search(rows, count, width, k);
  search.run();
  return search.take();
}

}  // namespace tsrun
