#pragma once

#include "tensor_map.h"

#include "tsrun/base/random.h"

#include <cstdint>

namespace tsrun::shared_vector {

/// Fastfood (Le, Sarlós, Smola, ICML 2013) as Aghajanyan et al. (2021) use it and Yi et al. (2022) train it: with n the least power of two
/// that is at least max(D, d),
///   V x = first D of  H diag(G) Π H diag(B) pad(x) / (√(n ΣG0²) √(D/n)),
/// H the Walsh-Hadamard matrix without a factor, B random signs, Π a random permutation, G normal. G is trained, and the divisor keeps the
/// G that was drawn; it makes V's columns about as long as 1.
///
/// H diag(B) pad(x) repeats itself every p numbers, p the least power of two that is at least d. So one short transform makes it, and of Π
/// only places modulo p are kept.
class Fastfood final : public TensorMap {
 public:
  /// d is at most 65536. `release_gradients` divides, when learning, by √n at each of the two transforms, as the release does.
  Fastfood(int64_t size, int64_t dim, Key key, bool release_gradients);
  void expand(std::span<const float> x, std::span<float> out) const override;
  void project(std::span<const float> g, std::span<double> out) const override;
  void learn(const AdafactorRule& rule, std::span<const float> x, std::span<const float> g, std::span<double> out) override;
  std::vector<Numbers> numbers() const override { return {{"gaussian", gaussian_}}; }
  std::vector<Numbers> squares() override;
  void forget_squares() override { squares_.reset(); }
  void add_to(Sha256& digest) const override;
  /// The gradient with respect to G, [n]; adds the one with respect to x to `out`.
  at::Tensor gaussian_gradient(std::span<const float> x, std::span<const float> g, std::span<double> out) const;

 private:
  std::vector<float> mixed(std::span<const float> x) const;                      ///< one period of H diag(B) pad(x)
  at::Tensor transformed(std::span<const float> g) const;                        ///< H pad(g / divisor), [n]
  void gather(const at::Tensor& h, double factor, std::span<double> out) const;  ///< out += factor · diag(B) Hᵀ Πᵀ diag(G) h

  int64_t size_, dim_, length_, period_;
  double release_factor_ = 1;
  float scale_ = 1;                ///< 1 / divisor
  std::vector<float> signs_;       ///< B: the first d, the others meet zeros
  std::vector<uint16_t> places_;   ///< Π modulo the period
  at::Tensor gaussian_, squares_;  ///< G; Adafactor's means
};

}  // namespace tsrun::shared_vector
