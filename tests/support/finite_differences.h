#pragma once

#include "tsrun/base/operators.h"
#include "tsrun/base/random.h"

#include <gtest/gtest.h>

#include <functional>

namespace tsrun {

/// Normal numbers, float64.
inline at::Tensor drawn_numbers(const std::vector<int64_t>& shape, uint64_t seed) {
  at::Tensor numbers = at::empty(shape, at::kFloat);
  fill_normal(Key::root(seed), {numbers.mutable_data_ptr<float>(), static_cast<size_t>(numbers.numel())});
  return numbers.to(at::kDouble);
}

/// Autograd's gradient of the scalar `f` at `x`.
inline at::Tensor gradient_of(const std::function<at::Tensor(const at::Tensor&)>& f, const at::Tensor& x) {
  const at::Tensor leaf = x.detach().clone().set_requires_grad(true);
  f(leaf).backward();
  return leaf.grad();
}

/// Holds autograd's gradient at `x` (float64) to central differences in every element.
inline void expect_gradient_of_differences(const std::function<at::Tensor(const at::Tensor&)>& f, const at::Tensor& x,
                                           double tolerance = 1e-8, double width = 1e-5) {
  const at::Tensor gradient = gradient_of(f, x).flatten();
  for (int64_t i = 0; i < x.numel(); ++i) {
    const auto shifted = [&](double shift) {
      at::Tensor moved = x.detach().clone();
      moved.view({-1})[i] += shift;
      return f(moved).item<double>();
    };
    EXPECT_NEAR(gradient[i].item<double>(), (shifted(width) - shifted(-width)) / (2 * width), tolerance) << "element " << i;
  }
}

}  // namespace tsrun
