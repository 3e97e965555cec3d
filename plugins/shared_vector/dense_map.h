#pragma once

#include "tensor_map.h"

#include "tsrun/base/random.h"
#include "tsrun/linalg/rows.h"

#include <cstdint>

namespace tsrun::shared_vector {

/// x ↦ xᵀ H + b with H [d, D] and b [D] (where there is one) of normals, all of them trained. The gradient of H is an outer product and is
/// never formed.
class DenseMap final : public TensorMap {
 public:
  DenseMap(int64_t size, int64_t dim, Key key, double deviation, bool bias);
  void expand(std::span<const float> x, std::span<float> out) const override;
  void project(std::span<const float> g, std::span<double> out) const override;
  void learn(const AdafactorRule& rule, std::span<const float> x, std::span<const float> g, std::span<double> out) override;
  std::vector<Numbers> numbers() const override;
  std::vector<Numbers> squares() override;
  void forget_squares() override;
  void add_to(Sha256& digest) const override;

 private:
  Rows rows() const;

  at::Tensor matrix_, bias_;  ///< float32 [d, D], [D] or undefined
  at::Tensor row_squares_, column_squares_, bias_squares_;
};

}  // namespace tsrun::shared_vector
