#include "tsrun/linalg/rows.h"

#include "linalg/blocks.h"
#include "tsrun/base/error.h"
#include "tsrun/base/parallel.h"

#include <array>
#include <cstring>

namespace tsrun {
namespace {

// Columns whose float64 sums, with four rows that are read and four that are asked for, fit a first-level cache of 32 KiB.
constexpr int64_t block = 512;
constexpr int64_t together = 4;  // rows read side by side

template <class Element>
using Pointers = std::array<const Element*, together>;
template <class Element>
constexpr int64_t line = 64 / sizeof(Element);

/// Has the next rows' line at `k` on its way from memory: the processor's own look-ahead ends with every page, of which there are many.
template <class Element>
TSRUN_INLINE void prefetch(const Pointers<Element>& next, int64_t k) {
  for (const Element* row : next) __builtin_prefetch(row + k, 0, 3);
}

/// sums[k] += Σ_r coefficients[r] · rows[r][k], for up to `together` rows.
template <class Element>
struct AddRows {
  template <int W>
  TSRUN_INLINE static void run(const Pointers<Element>& rows, const Pointers<Element>& next,
                               const std::array<double, together>& coefficients, int64_t count, double* sums) {
    int64_t k = 0;
    for (; k + line<Element> <= count; k += line<Element>) {
      prefetch<Element>(next, k);
      add(rows, coefficients, k, k + line<Element>, sums);
    }
    add(rows, coefficients, k, count, sums);
  }
  TSRUN_INLINE static void add(const Pointers<Element>& rows, const std::array<double, together>& coefficients, int64_t begin, int64_t end,
                               double* sums) {
    const Element *a = rows[0], *b = rows[1], *c = rows[2], *d = rows[3];
    const double ca = coefficients[0], cb = coefficients[1], cc = coefficients[2], cd = coefficients[3];
#pragma GCC ivdep
    for (int64_t k = begin; k < end; ++k)
      sums[k] += (ca * linalg::widen(a[k]) + cb * linalg::widen(b[k])) + (cc * linalg::widen(c[k]) + cd * linalg::widen(d[k]));
  }
};

template <int W>
struct NarrowLanes {
  typedef float Floats __attribute__((vector_size(W * 4)));
  typedef uint32_t Words __attribute__((vector_size(W * 4)));
  typedef uint16_t Halves __attribute__((vector_size(W * 2)));
};

template <int W>
TSRUN_INLINE void widen_vector(const float* from, typename linalg::Lanes<W>::Vector& to) {
  typename NarrowLanes<W>::Floats narrow;
  std::memcpy(&narrow, from, sizeof narrow);
  to = __builtin_convertvector(narrow, typename linalg::Lanes<W>::Vector);
}
template <int W>
TSRUN_INLINE void widen_vector(const linalg::Bfloat16* from, typename linalg::Lanes<W>::Vector& to) {
  typename NarrowLanes<W>::Halves halves;
  std::memcpy(&halves, from, sizeof halves);
  const auto words = __builtin_convertvector(halves, typename NarrowLanes<W>::Words) << 16;
  to = __builtin_convertvector((typename NarrowLanes<W>::Floats)words, typename linalg::Lanes<W>::Vector);
}

/// sums[r] += Σ_k rows[r][k] · g[k].
template <class Element>
struct DotRows {
  template <int W>
  TSRUN_INLINE static void run(const Pointers<Element>& rows, const Pointers<Element>& next, const double* g, int64_t count, double* sums) {
    using Vector = typename linalg::Lanes<W>::Vector;
    Vector lanes[together] = {};
    int64_t k = 0;
    for (; k + line<Element> <= count; k += line<Element>) {
      prefetch<Element>(next, k);
#pragma GCC unroll 16
      for (int64_t part = k; part < k + line<Element>; part += W) add<W>(rows, g, part, lanes);
    }
    for (; k + W <= count; k += W) add<W>(rows, g, k, lanes);
    for (int64_t r = 0; r < together; ++r) {
      for (int64_t rest = k; rest < count; ++rest) sums[r] += linalg::widen(rows[static_cast<size_t>(r)][rest]) * g[rest];
      for (int lane = 0; lane < W; ++lane) sums[r] += lanes[r][lane];
    }
  }
  template <int W>
  TSRUN_INLINE static void add(const Pointers<Element>& rows, const double* g, int64_t k,
                               typename linalg::Lanes<W>::Vector (&lanes)[together]) {
    typename linalg::Lanes<W>::Vector factor;
    std::memcpy(&factor, g + k, sizeof factor);
#pragma GCC unroll 4
    for (int64_t r = 0; r < together; ++r) {
      typename linalg::Lanes<W>::Vector wide;
      widen_vector<W>(rows[static_cast<size_t>(r)] + k, wide);
      lanes[r] += wide * factor;
    }
  }
};

/// Pointers to rows `first`… at column `at`; beyond the last row the first one is repeated (its coefficient or result is dropped).
template <class Element>
Pointers<Element> pointers(const Rows& rows, int64_t first, int64_t at) {
  Pointers<Element> result{};
  for (int64_t r = 0; r < together; ++r) {
    const int64_t row = first + r < rows.count() ? first + r : first;
    result[static_cast<size_t>(r)] = static_cast<const Element*>(rows.data[static_cast<size_t>(row)]) + at;
  }
  return result;
}

/// The rows that are read behind those from `first`: of the same block, or the first ones of the next block.
template <class Element>
Pointers<Element> next_pointers(const Rows& rows, int64_t first, int64_t at, int64_t count) {
  return first + together < rows.count() ? pointers<Element>(rows, first + together, at) : pointers<Element>(rows, 0, at + count);
}

/// sums[0, count) = Σ_r coefficients[r] · row r over columns [at, at + count).
template <class Element>
void combine_block(const Rows& rows, const double* coefficients, int64_t at, int64_t count, double* sums) {
  std::fill(sums, sums + count, 0.0);
  for (int64_t first = 0; first < rows.count(); first += together) {
    std::array<double, together> weights{};
    for (int64_t r = 0; r < together && first + r < rows.count(); ++r) weights[static_cast<size_t>(r)] = coefficients[first + r];
    kernel::run<AddRows<Element>>(pointers<Element>(rows, first, at), next_pointers<Element>(rows, first, at, count), weights, count, sums);
  }
}

/// sums[r] += row r · g over columns [at, at + count).
template <class Element>
void dot_block(const Rows& rows, const double* g, int64_t at, int64_t count, double* sums) {
  for (int64_t r = 0; r < rows.count(); r += together)
    kernel::run<DotRows<Element>>(pointers<Element>(rows, r, at), next_pointers<Element>(rows, r, at, count), g, count, sums + r);
}

void check_coefficients(const char* name, int64_t found, int64_t expected) {
  if (found != expected) internal_error("{}: {} numbers were given for {} rows", name, found, expected);
}

/// Runs `body(begin, end)` over blocks of columns.
void over_blocks(int64_t columns, const std::function<void(int64_t, int64_t)>& body) {
  const int64_t blocks = (columns + block - 1) / block;
  parallel_for(blocks, 32, [&](int64_t first, int64_t last) {
    for (int64_t b = first; b < last; ++b) body(b * block, std::min(columns, (b + 1) * block));
  });
}

}  // namespace

Rows Rows::slice(int64_t begin, int64_t end) const {
  if (begin < 0 || end < begin || end > columns) internal_error("rows: columns [{}, {}) of {}", begin, end, columns);
  Rows part{data, type, end - begin};
  const int64_t bytes = begin * (type == RowType::float32 ? 4 : 2);
  for (const void*& row : part.data) row = static_cast<const std::byte*>(row) + bytes;
  return part;
}

void add_combination(const Rows& rows, std::span<const double> coefficients, std::span<float> out) {
  combine_onto(out, rows, coefficients, out);
}

void combine_onto(std::span<const float> base, const Rows& rows, std::span<const double> coefficients, std::span<float> out) {
  check_coefficients("expand", static_cast<int64_t>(coefficients.size()), rows.count());
  check_coefficients("expand (base)", static_cast<int64_t>(base.size()), rows.columns);
  check_coefficients("expand (output)", static_cast<int64_t>(out.size()), rows.columns);
  linalg::with_element(rows.type, [&](auto element) {
    over_blocks(rows.columns, [&](int64_t begin, int64_t end) {
      double sums[block];
      combine_block<decltype(element)>(rows, coefficients.data(), begin, end - begin, sums);
      for (auto k = static_cast<size_t>(begin); k < static_cast<size_t>(end); ++k)
        out[k] = base[k] + static_cast<float>(sums[k - static_cast<size_t>(begin)]);
    });
  });
}

std::vector<double> dot_products(const Rows& rows, std::span<const float> g) {
  check_coefficients("project", static_cast<int64_t>(g.size()), rows.columns);
  const linalg::Units units = linalg::cut(rows.columns);
  const int64_t padded = (rows.count() + together - 1) / together * together;
  std::vector<double> partial(static_cast<size_t>(units.count * padded), 0.0);
  linalg::with_element(rows.type, [&](auto element) {
    parallel_for(units.count, 1, [&](int64_t first, int64_t last) {
      double wide[block];
      for (int64_t u = first; u < last; ++u) {
        for (int64_t at = units.begin(u); at < units.end(u); at += block) {
          const int64_t count = std::min(block, units.end(u) - at);
          for (int64_t k = 0; k < count; ++k) wide[k] = g[static_cast<size_t>(at + k)];
          dot_block<decltype(element)>(rows, wide, at, count, partial.data() + u * padded);
        }
      }
    });
  });
  std::vector<double> result(rows.data.size(), 0.0);
  for (int64_t u = 0; u < units.count; ++u)
    for (size_t r = 0; r < result.size(); ++r) result[r] += partial[static_cast<size_t>(u * padded) + r];
  return result;
}

}  // namespace tsrun
