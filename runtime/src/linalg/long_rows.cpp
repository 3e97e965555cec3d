#include "tsrun/linalg/long_rows.h"

#include "linalg/long_row_kernels.h"
#include "tsrun/base/parallel.h"

#include <algorithm>
#ifdef __SSE__
#include <xmmintrin.h>
#endif

namespace tsrun {
namespace {

using linalg::long_rows::Accumulate;
using linalg::long_rows::Change;
using linalg::long_rows::Coefficients;
using linalg::long_rows::Dots;
using linalg::long_rows::outs_together;
using linalg::long_rows::QuadraticForm;
using linalg::long_rows::sources_together;
using linalg::long_rows::Tile;

// Columns of one row that are worked on at a time: the outs stay in the first cache, the rows in hand and the next ones in the second.
constexpr int64_t shortest_block = 1024, longest_block = 4096, cached = 1 << 17;
constexpr int64_t forms_block = 512;  // in float64, several vectors in the first cache

/// Where a block of columns lies, and where the one begins that the same thread takes next (itself, if it is the last).
struct Block {
  int64_t at, count, next;
};

/// The longest block with which the rows in hand and `vectors` long vectors stay in the second cache.
int64_t block_beside(int64_t vectors) {
  return std::clamp(cached / (vectors + sources_together) / shortest_block * shortest_block, shortest_block, longest_block);
}

/// At most 64 runs of whole blocks, so that partial results do not grow with the number of columns.
struct Cut {
  Cut(int64_t columns, int64_t longest) : columns(columns) {
    const int64_t share = (columns / 64 + shortest_block) / shortest_block * shortest_block;
    block = std::min(share, longest);
    const int64_t blocks = (columns + block - 1) / block;
    size = std::max<int64_t>(1, (blocks + 63) / 64) * block;
    count = (columns + size - 1) / size;
  }
  /// Calls `body(unit, block, scratch)` for every block, those of one unit in order; `scratch` has room for `wanted` elements.
  template <class Element, class Body>
  void run(int64_t wanted, const Body& body) const {
    parallel_for(count, 1, [&](int64_t first, int64_t last) {
      std::vector<Element> scratch(static_cast<size_t>(wanted));
      for (int64_t unit = first; unit < last; ++unit) {
        const int64_t end = std::min(columns, (unit + 1) * size), last_end = std::min(columns, last * size);
        for (int64_t at = unit * size; at < end; at += block)
          body(unit, Block{at, std::min(block, end - at), at + block < last_end ? at + block : at}, scratch.data());
      }
    });
  }
  int64_t columns, block, size, count;
};

/// What one unit adds up, padded to whole tiles.
struct Partial {
  Partial(const Cut& cut, int64_t vectors, int64_t rows)
      : vectors(vectors),
        rows(rows),
        stride(rows + sources_together),
        values(static_cast<size_t>(cut.count * (vectors + outs_together) * stride), 0.0) {}
  double* of(int64_t unit, int64_t vector) { return values.data() + (unit * (vectors + outs_together) + vector) * stride; }
  SmallMatrix sum(int64_t units) {
    SmallMatrix result(vectors, rows);
    for (int64_t u = 0; u < units; ++u)
      for (int64_t k = 0; k < vectors; ++k)
        for (int64_t j = 0; j < rows; ++j) result(k, j) += of(u, k)[j];
    return result;
  }
  int64_t vectors, rows, stride;
  std::vector<double> values;
};

/// Rows first… of one block; beyond the last row the first is repeated. After the last rows the next block's first ones are wanted.
Tile rows_of(const LongRows& matrix, int64_t first, const Block& block) {
  Tile tile;
  const bool last = first + sources_together >= matrix.rows;
  const int64_t next = last ? 0 : first + sources_together;
  for (int64_t s = 0; s < sources_together; ++s) {
    const auto place = static_cast<size_t>(s);
    tile.rows[place] = matrix.row(first + s < matrix.rows ? first + s : first) + block.at;
    tile.next[place] = matrix.row(next + s < matrix.rows ? next + s : next) + (last ? block.next : block.at);
  }
  return tile;
}

/// Adds the products of the tile's rows, first…, with vectors k and k + 1 over one block, and changes the rows.
template <bool Changed>
void add_pair(const Tile& tile, const std::vector<const float*>& vectors, size_t k, const Change& change, int64_t first, const Block& block,
              Partial& partial, int64_t unit) {
  std::array<std::array<double, sources_together>, outs_together> sums{};
  const bool both = k + 1 < vectors.size();
  const std::array<const float*, outs_together> pair = {vectors[k] + block.at, both ? vectors[k + 1] + block.at : nullptr};
  if (both) {
    kernel::run<Dots<2, Changed>>(tile, pair, change, block.count, &sums);
  } else {
    kernel::run<Dots<1, Changed>>(tile, pair, change, block.count, &sums);
  }
  for (size_t o = 0; o < (both ? 2 : 1); ++o)
    for (size_t s = 0; s < sources_together; ++s)
      partial.of(unit, static_cast<int64_t>(k + o))[first + static_cast<int64_t>(s)] += sums[o][s];
}

/// The same with all vectors from `k` on, and no change.
void add_dots(Tile& tile, const std::vector<const float*>& vectors, size_t k, int64_t first, const Block& block, Partial& partial,
              int64_t unit) {
  for (; k < vectors.size(); k += outs_together) {
    add_pair<false>(tile, vectors, k, {}, first, block, partial, unit);
    tile.next = {};
  }
}

/// outs[o] (o < out_count) += Σ_s coefficient(o, s) · row s of the tile, two outs at a time.
template <class Out, class Coefficient>
void accumulate(Tile tile, int64_t source_count, int64_t out_count, const Out& out, const Coefficient& coefficient, int64_t count) {
  for (int64_t o = 0; o < out_count; o += outs_together) {
    const bool both = o + 1 < out_count;
    const std::array<float*, outs_together> pair = {out(o), both ? out(o + 1) : nullptr};
    Coefficients factors{};
    for (int64_t p = 0; p < (both ? 2 : 1); ++p)
      for (int64_t s = 0; s < source_count; ++s)
        factors[static_cast<size_t>(p)][static_cast<size_t>(s)] = static_cast<float>(coefficient(o + p, s));
    const bool few = source_count <= sources_together / 2;
    if (both) {
      few ? kernel::run<Accumulate<sources_together / 2, 2>>(tile, pair, factors, count)
          : kernel::run<Accumulate<sources_together, 2>>(tile, pair, factors, count);
    } else {
      few ? kernel::run<Accumulate<sources_together / 2, 1>>(tile, pair, factors, count)
          : kernel::run<Accumulate<sources_together, 1>>(tile, pair, factors, count);
    }
    tile.next = {};
  }
}

/// Writes what came out, past the caches where the processor can: a vector is much longer than a cache, and its old lines need not be read.
void finish(const RowTarget& target, float* sum, const Block& block) {
  float* out = target.out + block.at;
  if (target.base)
    for (int64_t i = 0; i < block.count; ++i) sum[i] += target.sign * target.base[block.at + i];
  int64_t done = 0;
#ifdef __SSE__
  if (reinterpret_cast<uintptr_t>(out) % 16 == 0)
    for (; done + 4 <= block.count; done += 4) _mm_stream_ps(out + done, _mm_loadu_ps(sum + done));
  _mm_sfence();
#endif
  std::copy(sum + done, sum + block.count, out + done);
}

void add(TwoSums& sums, const TwoSums& more) {
  for (size_t i = 0; i < sums.size(); ++i) sums[i] += more[i];
}

}  // namespace

void combine_rows(const LongRows& matrix, const SmallMatrix& coefficients, const std::vector<RowTarget>& targets) {
  const auto outs = static_cast<int64_t>(targets.size());
  const Cut cut(matrix.columns, block_beside(outs));
  cut.run<float>(outs * cut.block, [&](int64_t /*unit*/, const Block& block, float* sums) {
    const auto sum_of = [&](int64_t k) { return sums + k * cut.block; };
    std::fill(sums, sums + outs * cut.block, 0.0F);
    for (int64_t j = 0; j < matrix.rows; j += sources_together)
      accumulate(
          rows_of(matrix, j, block), std::min(sources_together, matrix.rows - j), outs, sum_of,
          [&](int64_t k, int64_t s) { return coefficients(k, j + s); }, block.count);
    for (int64_t k = 0; k < outs; ++k) finish(targets[static_cast<size_t>(k)], sum_of(k), block);
  });
}

SmallMatrix multiply_rows(const LongRows& matrix, const std::vector<const float*>& vectors) {
  const Cut cut(matrix.columns, block_beside(static_cast<int64_t>(vectors.size())));
  Partial partial(cut, static_cast<int64_t>(vectors.size()), matrix.rows);
  cut.run<float>(0, [&](int64_t unit, const Block& block, float* /*scratch*/) {
    for (int64_t j = 0; j < matrix.rows; j += sources_together) {
      Tile tile = rows_of(matrix, j, block);
      add_dots(tile, vectors, 0, j, block, partial, unit);
    }
  });
  return partial.sum(cut.count);
}

SmallMatrix multiply_and_update(const LongRows& matrix, const std::vector<const float*>& vectors, const ColumnScale& scale,
                                const SmallMatrix& coefficients) {
  const auto many = static_cast<int64_t>(vectors.size());
  const Cut cut(matrix.columns, block_beside(2 * many));
  Partial partial(cut, many, matrix.rows);
  cut.run<float>((many + 1) * cut.block, [&](int64_t unit, const Block& block, float* scaled) {
    float* factors = scaled + many * cut.block;  // and then what is written where there is no row
    scale(block.at, block.count, factors);
    for (int64_t k = 0; k < many; ++k)
      for (int64_t i = 0; i < block.count; ++i) scaled[k * cut.block + i] = factors[i] * vectors[static_cast<size_t>(k)][block.at + i];
    // All products are of the rows before: the first two vectors, whose products come last, bring their change along.
    for (int64_t j = 0; j < matrix.rows; j += sources_together) {
      Tile tile = rows_of(matrix, j, block);
      const int64_t rows = std::min(sources_together, matrix.rows - j);
      add_dots(tile, vectors, outs_together, j, block, partial, unit);
      Change change;
      for (int64_t s = rows; s < sources_together; ++s) tile.rows[static_cast<size_t>(s)] = factors;
      for (int64_t o = 0; o < std::min(outs_together, many); ++o) {
        change.scaled[static_cast<size_t>(o)] = scaled + o * cut.block;
        for (int64_t s = 0; s < rows; ++s)
          change.factors[static_cast<size_t>(o)][static_cast<size_t>(s)] = static_cast<float>(coefficients(o, j + s));
      }
      add_pair<true>(tile, vectors, 0, change, j, block, partial, unit);
      for (int64_t k = outs_together; k < many; k += sources_together) {
        const int64_t together = std::min(sources_together, many - k);
        Tile sources;
        for (int64_t s = 0; s < sources_together; ++s)
          sources.rows[static_cast<size_t>(s)] = scaled + (s < together ? k + s : k) * cut.block;
        accumulate(
            sources, together, rows, [&](int64_t o) { return matrix.row(j + o) + block.at; },
            [&](int64_t o, int64_t s) { return coefficients(k + s, j + o); }, block.count);
      }
    }
  });
  return partial.sum(cut.count);
}

TwoSums over_quadratic_forms(const std::vector<const float*>& vectors, int64_t columns, const std::vector<SmallMatrix>& forms,
                             const std::function<TwoSums(int64_t, int64_t, const std::vector<const double*>&)>& body) {
  const auto many = static_cast<int64_t>(vectors.size()), asked = static_cast<int64_t>(forms.size());
  const Cut cut(columns, forms_block);
  std::vector<TwoSums> partial(static_cast<size_t>(cut.count), TwoSums{});
  cut.run<double>((many + asked + 1) * cut.block, [&](int64_t unit, const Block& block, double* wide) {
    for (int64_t k = 0; k < many; ++k)
      for (int64_t i = 0; i < block.count; ++i) wide[k * cut.block + i] = vectors[static_cast<size_t>(k)][block.at + i];
    double* inner = wide + (many + asked) * cut.block;
    std::vector<const double*> values;
    for (int64_t f = 0; f < asked; ++f) {
      double* out = wide + (many + f) * cut.block;
      kernel::run<QuadraticForm>(static_cast<const double*>(wide), cut.block, forms[static_cast<size_t>(f)], block.count, inner, out);
      values.push_back(out);
    }
    add(partial[static_cast<size_t>(unit)], body(block.at, block.count, values));
  });
  TwoSums sums{};
  for (const TwoSums& part : partial) add(sums, part);
  return sums;
}

}  // namespace tsrun
