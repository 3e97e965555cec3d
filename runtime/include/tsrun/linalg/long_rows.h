#pragma once

#include "tsrun/linalg/rows.h"

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

/// Products with a matrix of a few long rows, [d, N], for several vectors at once, so that the matrix is read once. Blocks of columns
/// depend on N alone and partial sums are added in their order: results are the same for any number of threads.
namespace tsrun {

/// Output of one product: out = sign · base + product; `base` may be null (0). `out` may be `base`.
struct RowTarget {
  const float* base = nullptr;
  float sign = 1;
  float* out = nullptr;
};

/// A d × N float32 matrix as pointers to its rows.
struct LongRows {
  float* data = nullptr;
  int64_t rows = 0, columns = 0;
  float* row(int64_t j) const { return data + j * columns; }
};

/// targets[k] = … + Σ_j coefficients(k, j) · row j: one read of the matrix.
void combine_rows(const LongRows& matrix, const SmallMatrix& coefficients, const std::vector<RowTarget>& targets);

/// result(k, j) = ⟨row j, vectors[k]⟩: one read of the matrix. Summed in float32 within a block, in float64 over blocks.
SmallMatrix multiply_rows(const LongRows& matrix, const std::vector<const float*>& vectors);

/// Writes `count` factors of columns from `begin` on.
using ColumnScale = std::function<void(int64_t begin, int64_t count, float* factors)>;

/// A change of rank K: row j += scale[·] Σ_k coefficients(k, j) · vectors[k], elementwise in the columns.
/// Returns what `multiply_rows` gives for the matrix before, from the same read; one write.
SmallMatrix multiply_and_update(const LongRows& matrix, const std::vector<const float*>& vectors, const ColumnScale& scale,
                                const SmallMatrix& coefficients);

using TwoSums = std::array<double, 2>;

/// Calls `body(begin, count, values)` over blocks of columns, where values[f][i] = Σ_kl forms[f](k, l) vectors[k][begin + i]
/// vectors[l][begin + i], in float64 and never below 0; `body` returns two numbers. Their sums in the order of the blocks.
TwoSums over_quadratic_forms(const std::vector<const float*>& vectors, int64_t columns, const std::vector<SmallMatrix>& forms,
                             const std::function<TwoSums(int64_t begin, int64_t count, const std::vector<const double*>& values)>& body);

}  // namespace tsrun
