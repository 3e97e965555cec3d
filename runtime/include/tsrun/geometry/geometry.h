#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

/// Geometry of vectors: the rows of a matrix [rows, width], float32 or float64, on the CPU, all finite. Everything is summed in float64, in
/// blocks of rows. `mean`, float64 [width], is subtracted from every row; undefined: rows as given. NaN stands for an undefined value.
/// Formulas and their sources: docs/methods/geometry.md.
namespace tsrun {

/// Mean of the rows, float64 [width].
at::Tensor mean_row(const at::Tensor& rows);

/// Directions of rows. A row whose norm is at most 1e-12 of the largest norm (before the mean is subtracted) has none: it is a zero row,
/// and no part of any cosine.
struct Cosines {
  double mean = 0;  ///< over ordered pairs of different rows: (‖Σŵ‖² − n)/(n(n − 1)) over the n rows with a direction; n < 2: NaN
  double mean_norm = 0;  ///< over all rows
  int64_t zero_rows = 0;
};
Cosines cosines_of(const at::Tensor& rows, const at::Tensor& mean);
/// Shares of the cosines of pairs of different rows in `bins` equal intervals of [−1, 1]; zeros where there is no pair. Work and memory
/// grow with the square of the rows.
std::vector<double> cosine_histogram(const at::Tensor& rows, const at::Tensor& mean, int64_t bins);

/// A singular value decomposition without the rows' side.
struct SingularDirections {
  at::Tensor values;      ///< float64, descending: as many as the rank can be, which is one less than the rows where a mean was subtracted
  at::Tensor directions;  ///< float64 [width, width]: an orthonormal basis, one direction a row, in the order of the values; then the rest
  double zero = 0;  ///< values up to this are rounding: max(rows, width) · 2⁻⁵² of the largest, or of √rows · ‖mean‖ if that is more
};
/// By QR of blocks of rows on top of each other, then of the triangle: small values keep their relative precision, as those of a Gram
/// matrix would not. The largest component of every direction is positive.
SingularDirections singular_directions(const at::Tensor& rows, const at::Tensor& mean);

/// Size and evenness of the singular values σ.
struct Spectrum {
  std::vector<double> relative;  ///< divided by the largest, descending; values that are rounding are 0
  double largest = 0;
  int64_t rank = 0;             ///< values above `SingularDirections::zero`
  double top_share = 0;         ///< share of the k largest in Σσ²
  double effective_rank = 0;    ///< exp of the entropy of σ²/Σσ²
  double condition_number = 0;  ///< largest over smallest; infinite where the smallest is zero
};
Spectrum spectrum_of(const SingularDirections& found, int64_t top_k);

/// Evenness of Z(v) = Σ exp(wᵀv) over unit directions v and −v, by log-sum-exp.
struct Isotropy {
  double i1 = 0;      ///< min Z / max Z: 1 is isotropic. Rows with large norms underflow it to 0
  double log_i1 = 0;  ///< its logarithm, which stays finite
  double i2 = 0;      ///< standard deviation of Z over its mean: 0 is isotropic
};
Isotropy isotropy_of(const at::Tensor& rows, const at::Tensor& mean, const at::Tensor& directions);

/// Intrinsic dimension by two nearest neighbours (Facco et al., Scientific Reports 7:12140, 2017): −log(1 − F(μ)) over log μ, with
/// μ = r₂/r₁, fitted by a line through the origin, without the tenth with the largest μ. Distances do not see a mean.
struct IntrinsicDimension {
  double value = 0;      ///< NaN for fewer than 3 distinct rows, and where no ratio of distances differs from 1
  int64_t distinct = 0;  ///< rows without repetitions, which alone take part
  int64_t asked = 0;     ///< rows whose neighbours were looked for, among all distinct ones
};
/// `most`: number of rows that are asked, drawn under a fixed key; 0: all.
IntrinsicDimension intrinsic_dimension(const at::Tensor& rows, int64_t most);

/// All but the intrinsic dimension.
struct RowGeometry {
  Cosines cosines;
  Spectrum spectrum;
  Isotropy isotropy;
};
RowGeometry row_geometry(const at::Tensor& rows, const at::Tensor& mean, const SingularDirections& found, int64_t top_k);

}  // namespace tsrun
