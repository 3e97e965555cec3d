#pragma once

#include "tsrun/base/random.h"
#include "tsrun/train/adafactor.h"

#include <ATen/core/Tensor.h>

#include <map>
#include <string>

namespace tsrun::joint_decomposition {

inline constexpr float initial_deviation = 0.02F;  ///< of everything that is drawn before training

/// One big matrix of a joint decomposition, between d numbers and N: a decoder, or an encoder's first layer. Held as d rows of N.
///
/// Its gradient is always a sum of K outer products and is never formed: Adafactor takes the factors (`adafactor_outer`).
class Projection {
 public:
  /// Every number drawn from N(0, 0.02²), row j under key.split(j): the key regenerates the matrix.
  Projection(int64_t dim, int64_t length, Key key);

  int64_t dim() const { return values_.size(0); }
  int64_t length() const { return values_.size(1); }
  const at::Tensor& values() const { return values_; }  ///< float32 [d, N]
  LongRows rows() const;
  int64_t factor_bytes() const { return static_cast<int64_t>((by_column_.numel() + by_row_.numel()) * 4); }

  /// One step of Adafactor for the gradient Σ_k b_k ⊗ a_k, b_k row k of `narrow` and a_k `wide`[k].
  /// Returns ⟨row j, a_k⟩ of the matrix before the step, [K, d]. Reads and writes the matrix once.
  SmallMatrix descend(const AdafactorRule& rule, const std::vector<const float*>& wide, const SmallMatrix& narrow);

  /// The matrix and the running means, by name; they share memory with the object.
  std::map<std::string, at::Tensor> state(const std::string& name) const;

 private:
  at::Tensor values_, by_column_, by_row_;  ///< [d, N]; running means of squared gradients [N], [d]
};

}  // namespace tsrun::joint_decomposition
