#pragma once

#include "tsrun/base/random.h"

#include <cstdint>
#include <span>
#include <vector>

namespace tsrun {

/// Fastfood (Le, Sarlós, Smola, ICML 2013) as Aghajanyan et al. (ACL 2021) use it, R^d → R^D: with n the least power of two that is at
/// least max(D, d),
///   V x = first D of  H diag(G) Π H diag(B) pad(x) / (√(n ΣG²) √(D/n)),
/// H the Walsh-Hadamard matrix without a factor, B random signs, Π a random permutation, G normal. Columns are about as long as 1.
///
/// H diag(B) pad(x) repeats itself every p numbers, p the least power of two that is at least d. So one short transform makes it, and of Π
/// only places modulo p are kept. 6 bytes of memory for each of the n numbers; a call computes about n log2 n additions. Results depend
/// neither on the number of threads nor on the processor.
class FastfoodMap {
 public:
  static constexpr int64_t most_coordinates = 1 << 16;

  /// D = `size`, d = `dim`. Internal error for a `dim` outside 1 to `most_coordinates`.
  FastfoodMap(int64_t size, int64_t dim, Key key);
  int64_t size() const { return size_; }
  int64_t dim() const { return dim_; }
  int64_t length() const { return length_; }  ///< n

  void expand(std::span<const float> x, std::span<float> out, float factor = 1) const;     ///< out += factor V x
  void project(std::span<const float> g, std::span<double> out, double factor = 1) const;  ///< out += factor Vᵀ g

  // For methods that train G, which the divisor does not follow.
  std::span<float> gaussian() { return gaussian_; }  ///< G, [n]
  std::span<const float> gaussian() const { return gaussian_; }
  /// out[i] = factor · t[i] · (Π H diag(B) pad(x))[i] with t = H pad(g / divisor), [n]: the gradient with respect to G. Adds
  /// `factor²` times the one with respect to x to `x_gradient`.
  void gaussian_gradient(std::span<const float> x, std::span<const float> g, double factor, std::span<float> out,
                         std::span<double> x_gradient) const;
  /// The first numbers that the key drew, as bytes: B, Π modulo p, G. Shows whether another machine draws the same.
  std::vector<std::span<const std::byte>> first_numbers() const;

 private:
  std::vector<float> mixed(std::span<const float> x) const;                           ///< one period of H diag(B) pad(x)
  void transform(std::span<const float> g, std::span<float> out) const;               ///< out = H pad(g / divisor), [n]
  void gather(std::span<const float> h, double factor, std::span<double> out) const;  ///< out += factor diag(B) Hᵀ Πᵀ diag(G) h

  int64_t size_, dim_, length_, period_;
  float scale_ = 1;               ///< 1 / divisor
  std::vector<float> signs_;      ///< B: the first d, the others meet zeros
  std::vector<uint16_t> places_;  ///< Π modulo the period
  std::vector<float> gaussian_;
};

}  // namespace tsrun
