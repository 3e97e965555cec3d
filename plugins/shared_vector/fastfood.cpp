#include "fastfood.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros.h>

#include <cmath>

namespace tsrun::shared_vector {

Fastfood::Fastfood(int64_t size, int64_t dim, Key key, bool release_gradients)
    : map_(size, dim, key), gaussian_(at::from_blob(map_.gaussian().data(), {map_.length()}, at::kFloat)) {
  if (release_gradients) release_factor_ = 1 / std::sqrt(static_cast<double>(map_.length()));
}

at::Tensor Fastfood::gaussian_gradient(std::span<const float> x, std::span<const float> g, std::span<double> out) const {
  at::Tensor gradient = at::empty({map_.length()}, at::kFloat);
  map_.gaussian_gradient(x, g, release_factor_, floats(gradient), out);
  return gradient;
}

void Fastfood::learn(const AdafactorRule& rule, std::span<const float> x, std::span<const float> g, std::span<double> out) {
  const at::Tensor gradient = gaussian_gradient(x, g, out);
  squares();
  adafactor_vector(rule, floats(gaussian_), floats(gradient), floats(squares_));
}

std::vector<Numbers> Fastfood::squares() {
  if (!squares_.defined()) squares_ = at::zeros({map_.length()}, at::kFloat);
  return {{"gaussian", squares_}};
}

void Fastfood::add_to(Sha256& digest) const {
  for (const auto bytes : map_.first_numbers()) digest.update(bytes);
}

}  // namespace tsrun::shared_vector
