#pragma once

#include "tsrun/base/dispatch.h"
#include "tsrun/linalg/rows.h"

#include <array>
#include <cstring>

/// What `long_rows.cpp` does with one block of columns: eight rows at a time, with two vectors.
namespace tsrun::linalg::long_rows {

constexpr int64_t sources_together = 8, outs_together = 2;
constexpr int64_t line = 16;  // floats in a cache line

/// The same columns of `sources_together` rows, and the columns that will be wanted when these are done (null: already on the way).
struct Tile {
  std::array<float*, sources_together> rows{}, next{};
};

/// Every row of a tile lies on other pages, where the processor's own prefetching begins anew, so the next tile is asked for by hand.
template <size_t Rows = sources_together>
TSRUN_INLINE void ask_for(const Tile& tile, int64_t at, size_t first = 0) {
  if (!tile.next[0]) return;
#pragma GCC unroll 8
  for (size_t s = first; s < first + Rows; ++s) __builtin_prefetch(tile.next[s] + at, 0, 2);
}

template <int W>
struct Lanes {
  typedef float Vector __attribute__((vector_size(W * 8)));
  static constexpr int64_t count = 2 * W;
};

using Coefficients = std::array<std::array<float, sources_together>, outs_together>;

/// outs[o][i] += Σ_s coefficients[o][s] · rows[s][i], over the first `Sources` rows.
template <size_t Sources, size_t Outs>
struct Accumulate {
  template <int W>
  TSRUN_INLINE static void run(const Tile& tile, const std::array<float*, outs_together>& outs, const Coefficients& coefficients,
                               int64_t count) {
    using Vector = typename Lanes<W>::Vector;
    const Tile here = tile;  // a store to outs may not change what is kept in registers
    float *const first = outs[0], *const second = outs[1];
    Vector to_first[Sources], to_second[Sources];
    for (size_t s = 0; s < Sources; ++s) {
      to_first[s] = coefficients[0][s] - Vector{};
      to_second[s] = coefficients[1][s] - Vector{};
    }
    int64_t i = 0;
    for (; i + line <= count; i += line) {
      ask_for(here, i);
#pragma GCC unroll 4
      for (int64_t at = i; at < i + line; at += Lanes<W>::count) {
        Vector x, y{}, row;
        std::memcpy(&x, first + at, sizeof x);
        if constexpr (Outs == 2) std::memcpy(&y, second + at, sizeof y);
#pragma GCC unroll 8
        for (size_t s = 0; s < Sources; ++s) {
          std::memcpy(&row, here.rows[s] + at, sizeof row);
          x += to_first[s] * row;
          if constexpr (Outs == 2) y += to_second[s] * row;
        }
        std::memcpy(first + at, &x, sizeof x);
        if constexpr (Outs == 2) std::memcpy(second + at, &y, sizeof y);
      }
    }
    for (; i < count; ++i)
      for (size_t o = 0; o < Outs; ++o)
        for (size_t s = 0; s < Sources; ++s) outs[o][i] += coefficients[o][s] * here.rows[s][i];
  }
};

/// What scaled vectors add to the rows of a tile: rows[s] += Σ_o factors[o][s] · scaled[o].
struct Change {
  std::array<const float*, outs_together> scaled{};
  Coefficients factors{};
};

/// sums[o][s] = Σ_i rows[s][i] · vectors[o][i], and then, where there is a change, the rows with it.
template <size_t Outs, bool Changed>
struct Dots {
  using Sums = std::array<std::array<double, sources_together>, outs_together>;

  /// Half of the rows at a time where there are sixteen registers: their sums alone would fill them.
  template <int W>
  TSRUN_INLINE static void run(const Tile& tile, const std::array<const float*, outs_together>& vectors, const Change& change,
                               int64_t count, Sums* sums) {
    constexpr size_t together = W == 8 || Outs == 1 ? sources_together : sources_together / 2;
    for (size_t first = 0; first < sources_together; first += together) run_rows<W, together>(tile, first, vectors, change, count, sums);
  }

 private:
  template <int W, size_t Together>
  TSRUN_INLINE static void run_rows(const Tile& tile, size_t first, const std::array<const float*, outs_together>& vectors,
                                    const Change& change, int64_t count, Sums* sums) {
    using Vector = typename Lanes<W>::Vector;
    const Coefficients factors = change.factors;  // as above
    Vector total[Outs][Together] = {};
    int64_t i = 0;
    for (; i + line <= count; i += line) {
      ask_for<Together>(tile, i, first);
#pragma GCC unroll 4
      for (int64_t at = i; at < i + line; at += Lanes<W>::count) {
        Vector left, right, row[Together];
        std::memcpy(&left, vectors[0] + at, sizeof left);
        std::memcpy(&right, vectors[Outs - 1] + at, sizeof right);
#pragma GCC unroll 8
        for (size_t s = 0; s < Together; ++s) {
          std::memcpy(&row[s], tile.rows[first + s] + at, sizeof row[s]);
          total[0][s] += row[s] * left;
          if constexpr (Outs == 2) total[1][s] += row[s] * right;
        }
        if constexpr (!Changed) continue;
        // Only now, since a row's place in its page is often that of the others, and a load waits for a store at the same place.
        std::memcpy(&left, change.scaled[0] + at, sizeof left);
        std::memcpy(&right, change.scaled[Outs - 1] + at, sizeof right);
#pragma GCC unroll 8
        for (size_t s = 0; s < Together; ++s) {
          row[s] += factors[0][first + s] * left;
          if constexpr (Outs == 2) row[s] += factors[1][first + s] * right;
          std::memcpy(tile.rows[first + s] + at, &row[s], sizeof row[s]);
        }
      }
    }
    for (size_t s = 0; s < Together; ++s) {
      float* row = tile.rows[first + s];
      for (size_t o = 0; o < Outs; ++o) {
        float lanes[Lanes<W>::count], sum = 0;
        std::memcpy(lanes, &total[o][s], sizeof lanes);
        for (const float lane : lanes) sum += lane;
        for (int64_t rest = i; rest < count; ++rest) sum += row[rest] * vectors[o][rest];
        (*sums)[o][first + s] = static_cast<double>(sum);
      }
      for (int64_t rest = i; Changed && rest < count; ++rest)
        for (size_t o = 0; o < Outs; ++o) row[rest] += factors[o][first + s] * change.scaled[o][rest];
    }
  }
};

/// values[i] = max(0, Σ_kl form(k, l) wide[k][i] wide[l][i]).
struct QuadraticForm {
  template <int W>
  TSRUN_INLINE static void run(const double* wide, int64_t stride, const SmallMatrix& form, int64_t count, double* inner, double* values) {
    for (int64_t i = 0; i < count; ++i) values[i] = 0;
    for (int64_t k = 0; k < form.rows; ++k) {
      const double own = form(k, k);
      const double* a = wide + k * stride;
#pragma GCC ivdep
      for (int64_t i = 0; i < count; ++i) inner[i] = own * a[i];
      for (int64_t l = 0; l < k; ++l) {
        const double twice = 2 * form(k, l);
        const double* b = wide + l * stride;
#pragma GCC ivdep
        for (int64_t i = 0; i < count; ++i) inner[i] += twice * b[i];
      }
#pragma GCC ivdep
      for (int64_t i = 0; i < count; ++i) values[i] += a[i] * inner[i];
    }
    for (int64_t i = 0; i < count; ++i) values[i] = values[i] > 0 ? values[i] : 0;
  }
};

}  // namespace tsrun::linalg::long_rows
