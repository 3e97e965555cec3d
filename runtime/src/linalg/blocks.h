#pragma once

#include "tsrun/base/dispatch.h"
#include "tsrun/linalg/rows.h"

#include <algorithm>
#include <bit>
#include <cstdint>

/// Blocks of the long dimension. They depend on the number of columns only, and partial sums are added in their order: results do not
/// depend on the number of threads.
namespace tsrun::linalg {

struct Units {
  int64_t columns, size, count;
  int64_t begin(int64_t unit) const { return unit * size; }
  int64_t end(int64_t unit) const { return std::min(columns, (unit + 1) * size); }
};

/// At most 64 units of whole pages: memory for partial results does not grow with the number of columns.
inline Units cut(int64_t columns) {
  constexpr int64_t page = 4096, most = 64;
  const int64_t pages = (columns + page - 1) / page;
  const int64_t size = std::max<int64_t>(1, (pages + most - 1) / most) * page;
  return {columns, size, (columns + size - 1) / size};
}

struct Bfloat16 {
  uint16_t bits;
};

TSRUN_INLINE double widen(float value) { return value; }
TSRUN_INLINE double widen(Bfloat16 value) { return std::bit_cast<float>(static_cast<uint32_t>(value.bits) << 16); }

template <int W>
struct Lanes {
  typedef double Vector __attribute__((vector_size(W * 8)));
};

template <class Element>
struct Widen {  // to[0, count) in float64, zeros up to `width`; the same piece of the next block is on its way from memory then
  template <int W>
  TSRUN_INLINE static void run(const Element* from, int64_t count, int64_t width, double* to) {
    constexpr int64_t line = 64 / sizeof(Element);
    int64_t k = 0;
    for (; k + line <= count; k += line) {
      __builtin_prefetch(from + k + width, 0, 2);
#pragma GCC unroll 32
      for (int64_t i = 0; i < line; ++i) to[k + i] = widen(from[k + i]);
    }
    for (; k < count; ++k) to[k] = widen(from[k]);
    for (k = count; k < width; ++k) to[k] = 0;
  }
};

/// Calls `body` with the rows' element type.
template <class Body>
void with_element(RowType type, const Body& body) {
  if (type == RowType::float32) {
    body(float{});
  } else {
    body(Bfloat16{});
  }
}

}  // namespace tsrun::linalg
