#pragma once

#include "kernels.h"

#include "tsrun/base/random.h"
#include "tsrun/train/optimizer.h"

#include <ATen/core/Tensor.h>

#include <map>
#include <string>

namespace tsrun::joint_decomposition {

inline constexpr float initial_deviation = 0.02F;  ///< of everything that is drawn before training

/// One big matrix of a joint decomposition, between d numbers and N: a decoder, or an encoder's first layer. Held as d rows of N.
///
/// Its gradient is always a sum of K outer products, Σ_k b_k ⊗ a_k with b_k of length d and a_k of length N, and is never formed. What
/// Adafactor needs of it follows from K × K products: the mean square of column i is a_iᵀ (B Bᵀ) a_i / d, that of row j is
/// b_jᵀ (A Aᵀ) b_j / N, and the root mean square of the update is another such form.
class Projection {
 public:
  /// Every number drawn from N(0, 0.02²), row j under key.split(j): the key regenerates the matrix.
  Projection(int64_t dim, int64_t length, Key key);

  int64_t dim() const { return values_.size(0); }
  int64_t length() const { return values_.size(1); }
  const at::Tensor& values() const { return values_; }  ///< float32 [d, N]
  LongRows rows() const;
  int64_t factor_bytes() const { return static_cast<int64_t>((by_column_.numel() + by_row_.numel()) * 4); }

  /// One step of Adafactor (Shazeer and Stern, 2018; two-dimensional rule, clipping at `options.clip_threshold`, fixed `lr`), the
  /// `step`-th from 1, for the gradient Σ_k b_k ⊗ a_k with b_k row k of `narrow` and a_k `wide`[k].
  /// Returns ⟨row j, a_k⟩ of the matrix before the step, [K, d]. Reads and writes the matrix once.
  SmallMatrix descend(const std::vector<const float*>& wide, const SmallMatrix& narrow, double lr, int64_t step,
                      const AdafactorOptions& options);

  /// The matrix and the running means, by name; they share memory with the object.
  std::map<std::string, at::Tensor> state(const std::string& name) const;

 private:
  /// Takes the squares into the means of rows; returns 1 / √mean of each.
  std::vector<double> take_row_means(const SmallMatrix& wide_products, const SmallMatrix& narrow, double kept, double epsilon);

  at::Tensor values_, by_column_, by_row_;  ///< [d, N]; running means of squared gradients [N], [d]
};

}  // namespace tsrun::joint_decomposition
