#pragma once

#include "tsrun/linalg/rows.h"

#include <span>
#include <vector>

namespace tsrun::trajectory_svd {

/// The rows R of a group: θ0, when it is used, and the differences, which may be of another element type.
class RowSource {
 public:
  /// `origin` is empty when θ0 is no row.
  RowSource(std::span<const float> origin, const Rows& differences);
  int64_t count() const;
  SmallMatrix gram() const;                                                       ///< R Rᵀ
  void expand(std::span<const double> coefficients, std::span<float> out) const;  ///< out += Rᵀ c
  std::vector<double> project(std::span<const float> g) const;                    ///< R g
  void combine(const SmallMatrix& matrix, std::span<float* const> out) const;     ///< out = matrix · R

 private:
  std::vector<Rows> parts_;
};

}  // namespace tsrun::trajectory_svd
