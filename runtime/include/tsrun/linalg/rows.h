#pragma once

#include <cstdint>
#include <span>
#include <vector>

/// Skinny kernels: few long rows (T or d up to a few hundred, D up to hundreds of millions). Rows may be memory maps; every kernel
/// streams them once in column blocks, so its own memory does not depend on D.
namespace tsrun {

enum class RowType { float32, bfloat16 };

/// A matrix given by pointers to its rows; all rows have `columns` elements of one type. Does not own them.
struct Rows {
  std::vector<const void*> data;
  RowType type = RowType::float32;
  int64_t columns = 0;
  int64_t count() const { return static_cast<int64_t>(data.size()); }
  Rows slice(int64_t begin, int64_t end) const;  ///< columns [begin, end)
};

/// Small dense matrix in float64, row-major.
struct SmallMatrix {
  int64_t rows = 0, columns = 0;
  std::vector<double> values;
  SmallMatrix() = default;
  SmallMatrix(int64_t r, int64_t c) : rows(r), columns(c), values(static_cast<size_t>(r * c), 0.0) {}
  double& operator()(int64_t r, int64_t c) { return values[static_cast<size_t>(r * columns + c)]; }
  double operator()(int64_t r, int64_t c) const { return values[static_cast<size_t>(r * columns + c)]; }
};

/// R Rᵀ accumulated in float64 (products of float32 numbers are exact there).
SmallMatrix gram(const Rows& rows);

/// out += Rᵀ c, summed in float64 and rounded once: coefficients of a factored basis may be large and cancel. `out` has `columns` elements.
/// 2·T·D flops, one read of R, one read and write of out.
void add_combination(const Rows& rows, std::span<const double> coefficients, std::span<float> out);
/// out = base + Rᵀ c, the same bits as a copy of `base` to which the combination is added; `base` may be `out`.
void combine_onto(std::span<const float> base, const Rows& rows, std::span<const double> coefficients, std::span<float> out);

/// out[i] = Σ_j matrix(i, j) · row j, summed in float64 and rounded once. Outputs have `columns` elements each and may be the rows
/// themselves.
void combine(const SmallMatrix& matrix, const Rows& rows, std::span<float* const> out);

/// R g in float64: one number per row. 2·T·D flops, one read of R and of g.
std::vector<double> dot_products(const Rows& rows, std::span<const float> g);

/// Eigenvalues (descending) and eigenvectors (columns) of a symmetric matrix, float64.
struct EigenDecomposition {
  std::vector<double> values;
  SmallMatrix vectors;
};
EigenDecomposition symmetric_eigen(const SmallMatrix& matrix);
SmallMatrix multiply(const SmallMatrix& a, const SmallMatrix& b);
SmallMatrix transpose(const SmallMatrix& a);

/// max |V Vᵀ − I| over the rows of V, in float64.
double orthonormality_error(const Rows& directions);

/// Gram-Schmidt over float32 rows, in place, twice (by the Cholesky factor of their float64 Gram matrix, so that rows are read once a
/// pass); rows whose remainder is below `ratio` of their length are zeroed and their indices returned.
std::vector<int64_t> orthonormalise(std::vector<std::span<float>> rows, double ratio = 1e-6);

}  // namespace tsrun
