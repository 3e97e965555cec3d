#pragma once

#include "tensor_map.h"

#include "tsrun/linalg/fastfood.h"

#include <cstdint>

namespace tsrun::shared_vector {

/// The Fastfood map (linalg/fastfood.h) as Yi et al. (2022) train it: G moves, and the divisor keeps the G that was drawn.
class Fastfood final : public TensorMap {
 public:
  /// `release_gradients` divides, when learning, by √n at each of the two transforms, as the release does.
  Fastfood(int64_t size, int64_t dim, Key key, bool release_gradients);
  void expand(std::span<const float> x, std::span<float> out) const override { map_.expand(x, out); }
  void project(std::span<const float> g, std::span<double> out) const override { map_.project(g, out); }
  void learn(const AdafactorRule& rule, std::span<const float> x, std::span<const float> g, std::span<double> out) override;
  std::vector<Numbers> numbers() const override { return {{"gaussian", gaussian_}}; }
  std::vector<Numbers> squares() override;
  void forget_squares() override { squares_.reset(); }
  void add_to(Sha256& digest) const override;
  /// The gradient with respect to G, [n]; adds the one with respect to x to `out`.
  at::Tensor gaussian_gradient(std::span<const float> x, std::span<const float> g, std::span<double> out) const;

 private:
  FastfoodMap map_;
  double release_factor_ = 1;
  at::Tensor gaussian_, squares_;  ///< a view of the map's G; Adafactor's means
};

}  // namespace tsrun::shared_vector
