#include "tsrun/linalg/long_rows.h"

#include "tsrun/base/parallel.h"
#include "tsrun/linalg/dispatch.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace tsrun {
namespace {

// Columns of one row that are worked on at a time. Long runs keep memory busy; the rows in hand and all vectors must stay in the second
// cache.
constexpr int64_t shortest_block = 1024, longest_block = 16384, cached = 1 << 17;
constexpr int64_t sources_together = 4, outs_together = 2;

/// outs[o][i] += Σ_s coefficients[o][s] · sources[s][i].
template <int Outs>
struct Accumulate {
  template <int W>
  TSRUN_INLINE static void run(const std::array<const float*, sources_together>& sources, const std::array<float*, outs_together>& outs,
                               const float (&coefficients)[outs_together][sources_together], int64_t count) {
    const float *a = sources[0], *b = sources[1], *c = sources[2], *d = sources[3];
    float *x = outs[0], *y = outs[1];
    const float xa = coefficients[0][0], xb = coefficients[0][1], xc = coefficients[0][2], xd = coefficients[0][3];
    const float ya = coefficients[1][0], yb = coefficients[1][1], yc = coefficients[1][2], yd = coefficients[1][3];
#pragma GCC ivdep
    for (int64_t i = 0; i < count; ++i) {
      x[i] += (xa * a[i] + xb * b[i]) + (xc * c[i] + xd * d[i]);
      if constexpr (Outs == 2) y[i] += (ya * a[i] + yb * b[i]) + (yc * c[i] + yd * d[i]);
    }
  }
};

/// sums[2 s + o] = Σ_i sources[s][i] · vectors[o][i].
struct Dots {
  template <int W>
  TSRUN_INLINE static void run(const std::array<const float*, sources_together>& sources,
                               const std::array<const float*, outs_together>& vectors, int64_t count, double* sums) {
    typedef float Vector __attribute__((vector_size(W * 8)));
    constexpr int64_t lanes = 2 * W;
    Vector total[sources_together][outs_together] = {};
    int64_t i = 0;
    for (; i + lanes <= count; i += lanes) {
      Vector left, right, row;
      std::memcpy(&left, vectors[0] + i, sizeof(Vector));
      std::memcpy(&right, vectors[1] + i, sizeof(Vector));
#pragma GCC unroll 4
      for (int64_t s = 0; s < sources_together; ++s) {
        std::memcpy(&row, sources[static_cast<size_t>(s)] + i, sizeof(Vector));
        total[s][0] += row * left;
        total[s][1] += row * right;
      }
    }
    for (int64_t s = 0; s < sources_together; ++s) {
      for (int64_t o = 0; o < outs_together; ++o) {
        float lane_sums[lanes];
        std::memcpy(lane_sums, &total[s][o], sizeof(Vector));
        double sum = 0;
        for (const float lane : lane_sums) sum += static_cast<double>(lane);
        for (int64_t rest = i; rest < count; ++rest)
          sum += static_cast<double>(sources[static_cast<size_t>(s)][rest]) * static_cast<double>(vectors[static_cast<size_t>(o)][rest]);
        sums[s * outs_together + o] = sum;
      }
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

/// At most 64 runs of whole blocks, so that partial results do not grow with the number of columns.
struct Cut {
  Cut(int64_t columns, int64_t vectors) : columns(columns) {
    const int64_t share = (columns / 64 + shortest_block) / shortest_block * shortest_block;
    block =
        std::min(share, std::clamp(cached / (vectors + sources_together) / shortest_block * shortest_block, shortest_block, longest_block));
    const int64_t blocks = (columns + block - 1) / block;
    size = std::max<int64_t>(1, (blocks + 63) / 64) * block;
    count = (columns + size - 1) / size;
  }
  /// Calls `body(unit, begin, count, scratch)` for every block, those of one unit in order; `scratch` has room for `wanted` elements.
  template <class Element, class Body>
  void run(int64_t wanted, const Body& body) const {
    parallel_for(count, 1, [&](int64_t first, int64_t last) {
      std::vector<Element> scratch(static_cast<size_t>(wanted));
      for (int64_t unit = first; unit < last; ++unit) {
        const int64_t end = std::min(columns, (unit + 1) * size);
        for (int64_t at = unit * size; at < end; at += block) body(unit, at, std::min(block, end - at), scratch.data());
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

/// Rows first… at column `at`; beyond the last the first is repeated.
std::array<const float*, sources_together> four_rows(const LongRows& matrix, int64_t first, int64_t at) {
  std::array<const float*, sources_together> rows{};
  for (int64_t s = 0; s < sources_together; ++s)
    rows[static_cast<size_t>(s)] = matrix.row(first + s < matrix.rows ? first + s : first) + at;
  return rows;
}

/// Adds the products of rows first… with all vectors over one block.
void add_dots(const LongRows& matrix, const std::vector<const float*>& vectors, int64_t first, int64_t at, int64_t count, Partial& partial,
              int64_t unit) {
  const auto rows = four_rows(matrix, first, at);
  for (size_t k = 0; k < vectors.size(); k += outs_together) {
    const std::array<const float*, outs_together> pair = {vectors[k] + at, vectors[std::min(k + 1, vectors.size() - 1)] + at};
    double sums[sources_together * outs_together];
    kernel::run<Dots>(rows, pair, count, static_cast<double*>(sums));
    for (int64_t s = 0; s < sources_together; ++s)
      for (int64_t o = 0; o < outs_together; ++o) partial.of(unit, static_cast<int64_t>(k) + o)[first + s] += sums[s * outs_together + o];
  }
}

/// outs[o] (o < count_outs) += Σ_s coefficient(o, s) · sources[s], four sources and two outs at a time.
template <class Source, class Out, class Coefficient>
void accumulate(int64_t source_count, const Source& source, int64_t out_count, const Out& out, const Coefficient& coefficient,
                int64_t count) {
  for (int64_t s = 0; s < source_count; s += sources_together) {
    std::array<const float*, sources_together> four{};
    for (int64_t i = 0; i < sources_together; ++i) four[static_cast<size_t>(i)] = source(s + i < source_count ? s + i : s);
    for (int64_t o = 0; o < out_count; o += outs_together) {
      const bool both = o + 1 < out_count;
      const std::array<float*, outs_together> pair = {out(o), both ? out(o + 1) : nullptr};
      float factors[outs_together][sources_together] = {};
      for (int64_t p = 0; p < (both ? 2 : 1); ++p)
        for (int64_t i = 0; i < sources_together && s + i < source_count; ++i)
          factors[p][i] = static_cast<float>(coefficient(o + p, s + i));
      if (both) {
        kernel::run<Accumulate<2>>(four, pair, factors, count);
      } else {
        kernel::run<Accumulate<1>>(four, pair, factors, count);
      }
    }
  }
}

}  // namespace

void combine_rows(const LongRows& matrix, const SmallMatrix& coefficients, const std::vector<RowTarget>& targets) {
  const auto outs = static_cast<int64_t>(targets.size());
  const Cut cut(matrix.columns, outs);
  const int64_t block = cut.block;
  cut.run<float>(outs * block, [&](int64_t /*unit*/, int64_t at, int64_t count, float* sums) {
    std::fill(sums, sums + outs * block, 0.0F);
    accumulate(
        matrix.rows, [&](int64_t j) { return matrix.row(j) + at; }, outs, [&](int64_t k) { return sums + k * block; },
        [&](int64_t k, int64_t j) { return coefficients(k, j); }, count);
    for (int64_t k = 0; k < outs; ++k) {
      const RowTarget& target = targets[static_cast<size_t>(k)];
      const float* sum = sums + k * block;
      for (int64_t i = 0; i < count; ++i) target.out[at + i] = target.base ? target.sign * target.base[at + i] + sum[i] : sum[i];
    }
  });
}

SmallMatrix multiply_rows(const LongRows& matrix, const std::vector<const float*>& vectors) {
  const Cut cut(matrix.columns, static_cast<int64_t>(vectors.size()));
  Partial partial(cut, static_cast<int64_t>(vectors.size()), matrix.rows);
  cut.run<float>(0, [&](int64_t unit, int64_t at, int64_t count, float* /*scratch*/) {
    for (int64_t j = 0; j < matrix.rows; j += sources_together) add_dots(matrix, vectors, j, at, count, partial, unit);
  });
  return partial.sum(cut.count);
}

SmallMatrix multiply_and_update(const LongRows& matrix, const std::vector<const float*>& vectors, const std::vector<float>& scale,
                                const SmallMatrix& coefficients) {
  const auto many = static_cast<int64_t>(vectors.size());
  const Cut cut(matrix.columns, 2 * many);
  const int64_t block = cut.block;
  Partial partial(cut, many, matrix.rows);
  cut.run<float>(many * block, [&](int64_t unit, int64_t at, int64_t count, float* scaled) {
    for (int64_t k = 0; k < many; ++k)
      for (int64_t i = 0; i < count; ++i)
        scaled[k * block + i] = scale[static_cast<size_t>(at + i)] * vectors[static_cast<size_t>(k)][at + i];
    for (int64_t j = 0; j < matrix.rows; j += sources_together) {
      add_dots(matrix, vectors, j, at, count, partial, unit);
      accumulate(
          many, [&](int64_t k) { return scaled + k * block; }, std::min(sources_together, matrix.rows - j),
          [&](int64_t o) { return matrix.row(j + o) + at; }, [&](int64_t o, int64_t k) { return coefficients(k, j + o); }, count);
    }
  });
  return partial.sum(cut.count);
}

double over_quadratic_forms(const std::vector<const float*>& vectors, int64_t columns, const std::vector<SmallMatrix>& forms,
                            const std::function<double(int64_t, int64_t, const std::vector<const double*>&)>& body) {
  const auto many = static_cast<int64_t>(vectors.size()), asked = static_cast<int64_t>(forms.size());
  const Cut cut(columns, 2 * (many + asked));
  const int64_t block = cut.block;
  std::vector<double> partial(static_cast<size_t>(cut.count), 0.0);
  cut.run<double>((many + asked + 1) * block, [&](int64_t unit, int64_t at, int64_t count, double* wide) {
    for (int64_t k = 0; k < many; ++k)
      for (int64_t i = 0; i < count; ++i) wide[k * block + i] = vectors[static_cast<size_t>(k)][at + i];
    double* inner = wide + (many + asked) * block;
    std::vector<const double*> values;
    for (int64_t f = 0; f < asked; ++f) {
      double* out = wide + (many + f) * block;
      kernel::run<QuadraticForm>(static_cast<const double*>(wide), block, forms[static_cast<size_t>(f)], count, inner, out);
      values.push_back(out);
    }
    partial[static_cast<size_t>(unit)] += body(at, count, values);
  });
  double sum = 0;
  for (const double part : partial) sum += part;
  return sum;
}

}  // namespace tsrun
