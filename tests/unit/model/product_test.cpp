#include "model/product.h"

#include "support.h"
#include "tsrun/model/gradients_in_place.h"

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

namespace tsrun::model {
namespace {

constexpr auto float32 = Precision::float32, bfloat16 = Precision::bfloat16;

/// A product's operands, as leaves that learn.
struct Operands {
  explicit Operands(bool transposed_) : transposed(transposed_) {
    at::manual_seed(11);
    x = at::randn({70, 96}).requires_grad_();
    weight = (transposed ? at::randn({96, 48}) : at::randn({48, 96})).mul_(0.1).requires_grad_();
    bias = at::randn({48}).requires_grad_();
    upstream = at::randn({70, 48});
  }
  at::Tensor run(Precision precision) const { return product(x, weight, bias, transposed, precision); }
  std::vector<at::Tensor> gradients(Precision precision) const {
    return torch::autograd::grad({run(precision)}, {x, weight, bias}, {upstream});
  }
  bool transposed;
  at::Tensor x, weight, bias, upstream;
};

class Product : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(BothLayouts, Product, ::testing::Bool(),
                         [](const auto& info) { return info.param ? std::string("Transposed") : std::string("Plain"); });

TEST_P(Product, IsTheLinearMap_Float32) {
  const Operands o(GetParam());
  const at::Tensor expected = at::matmul(o.x, o.transposed ? o.weight : o.weight.t()) + o.bias;
  EXPECT_LT(largest_difference(o.run(float32), expected), 1e-5);
  EXPECT_LT(largest_difference(product(o.x, o.weight, {}, o.transposed, float32), expected - o.bias), 1e-5);
}

TEST_P(Product, IsNearFloat32_Bfloat16) {
  const Operands o(GetParam());
  EXPECT_LT(relative_difference(o.run(bfloat16), o.run(float32)), 0.01);
  const auto rounded = o.gradients(bfloat16), exact = o.gradients(float32);
  for (size_t i = 0; i < exact.size(); ++i) EXPECT_LT(relative_difference(rounded[i], exact[i]), 0.02) << "gradient " << i;
  EXPECT_LT(relative_difference(rounded[2], exact[2]), 1e-6) << "the bias' gradient needs no rounding";
}

TEST_P(Product, IsTheRoundedProductOfRoundedOperands) {
  const Operands o(GetParam());
  const auto rounded = [](const at::Tensor& t) { return t.to(at::kBFloat16).to(at::kDouble); };
  const at::Tensor w = rounded(o.weight), exact = at::matmul(rounded(o.x), o.transposed ? w : w.t());
  const at::Tensor y = product(o.x, o.weight, {}, o.transposed, bfloat16);
  EXPECT_LT(((y - exact).abs() / exact.abs().clamp_min(1e-2)).max().item<double>(), 1.0 / 256 * 1.01);
}

TEST_P(Product, GivesFloat32) {
  const Operands o(GetParam());
  EXPECT_EQ(o.run(bfloat16).scalar_type(), at::kFloat);
  for (const at::Tensor& gradient : o.gradients(bfloat16)) EXPECT_EQ(gradient.scalar_type(), at::kFloat);
}

TEST_P(Product, GivesTheSameBitsTwice) {
  const Operands o(GetParam());
  EXPECT_TRUE(at::equal(o.run(bfloat16), o.run(bfloat16)));
  const auto one = o.gradients(bfloat16), two = o.gradients(bfloat16);
  for (size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(at::equal(one[i], two[i])) << "gradient " << i;
}

TEST_P(Product, GivesTheSameBitsForARoundedInput) {
  const Operands o(GetParam());
  const at::Tensor shared = operand(o.x, bfloat16);
  EXPECT_TRUE(at::equal(product(shared, o.weight, o.bias, o.transposed, bfloat16), o.run(bfloat16)));
  const auto gradient = torch::autograd::grad({product(shared, o.weight, o.bias, o.transposed, bfloat16)}, {o.x}, {o.upstream});
  EXPECT_TRUE(at::equal(gradient[0], o.gradients(bfloat16)[0]));
}

/// The gradient of |dL/dx|² with respect to x and the weight, L a function with a second derivative.
std::vector<at::Tensor> second_gradients(const Operands& o, Precision precision) {
  const auto first = torch::autograd::grad({o.run(precision).tanh().sum()}, {o.x}, {}, std::nullopt, /*create_graph=*/true);
  return torch::autograd::grad({first[0].square().sum()}, {o.x, o.weight});
}

TEST_P(Product, HasLibTorchsGradients_FirstAndSecond_Float32) {
  const Operands o(GetParam());
  const at::Tensor expected = o.transposed ? at::addmm(o.bias, o.x, o.weight) : at::linear(o.x, o.weight, o.bias);
  const auto first = torch::autograd::grad({expected}, {o.x, o.weight, o.bias}, {o.upstream}, /*retain_graph=*/true);
  const auto found = o.gradients(float32);
  for (size_t i = 0; i < first.size(); ++i) EXPECT_LT(relative_difference(found[i], first[i]), 1e-6) << "gradient " << i;
  const auto of_x = torch::autograd::grad({expected.tanh().sum()}, {o.x}, {}, std::nullopt, /*create_graph=*/true);
  const auto second = torch::autograd::grad({of_x[0].square().sum()}, {o.x, o.weight}), twice = second_gradients(o, float32);
  for (size_t i = 0; i < second.size(); ++i) EXPECT_LT(relative_difference(twice[i], second[i]), 1e-6) << "second gradient " << i;
}

TEST_P(Product, AddsItsWeightsGradientToTheLeafs) {
  for (const Precision precision : {float32, bfloat16}) {
    const Operands o(GetParam());
    const auto expected = o.gradients(precision);
    const at::Tensor gradient = at::ones_like(o.weight).requires_grad_(false);
    o.weight.mutable_grad() = gradient;
    {
      const AddsGradientsInPlace in_place;
      torch::autograd::backward({o.run(precision), o.run(precision)}, {o.upstream, o.upstream});
    }
    EXPECT_TRUE(o.weight.grad().is_same(gradient));
    EXPECT_LT(relative_difference(gradient - 1, 2 * expected[1]), 1e-5);
    EXPECT_LT(relative_difference(o.x.grad(), 2 * expected[0]), 1e-6);
    EXPECT_LT(relative_difference(o.bias.grad(), 2 * expected[2]), 1e-6);
  }
}

TEST_P(Product, LeavesTheLeafsGradientAloneOutsideTheScope) {
  const Operands o(GetParam());
  o.weight.mutable_grad() = at::zeros_like(o.weight).requires_grad_(false);
  EXPECT_GT(o.gradients(float32)[1].count_nonzero().item<int64_t>(), 0);
  EXPECT_EQ(o.weight.grad().count_nonzero().item<int64_t>(), 0);
}

TEST_P(Product, CanBeDifferentiatedTwice) {
  const Operands o(GetParam());
  const auto rounded = second_gradients(o, bfloat16), exact = second_gradients(o, float32);
  for (size_t i = 0; i < exact.size(); ++i) EXPECT_LT(relative_difference(rounded[i], exact[i]), 0.03) << "gradient " << i;
}

TEST_P(Product, LearnsOnlyWhatLearns) {
  Operands o(GetParam());
  o.weight = o.weight.detach();
  o.bias = o.bias.detach();
  EXPECT_TRUE(torch::autograd::grad({o.run(bfloat16)}, {o.x}, {o.upstream})[0].defined());
  o.weight.requires_grad_();
  o.x = o.x.detach();
  EXPECT_TRUE(torch::autograd::grad({o.run(bfloat16)}, {o.weight}, {o.upstream})[0].defined());
  o.weight = o.weight.detach();
  EXPECT_FALSE(o.run(bfloat16).requires_grad());
}

TEST_P(Product, RunsWithoutAGraph) {
  const Operands o(GetParam());
  const at::NoGradGuard no_grad;
  const at::Tensor y = o.run(bfloat16);
  EXPECT_FALSE(y.requires_grad());
  EXPECT_LT(relative_difference(y, o.run(float32)), 0.01);
}

/// Whether the rounded input still has its memory once the product is made and nobody else holds it.
bool keeps_input(bool weight_learns) {
  Operands o(false);
  o.weight = o.weight.detach().requires_grad_(weight_learns);
  at::Tensor x = operand(o.x, bfloat16);
  const auto memory = x.storage().getWeakStorageImpl();
  const at::Tensor y = product(x, o.weight, o.bias, false, bfloat16);
  x.reset();
  return !memory.expired();
}

TEST(ProductMemory, KeepsTheInputOnlyForAWeightThatLearns) {
  EXPECT_TRUE(keeps_input(true));
  EXPECT_FALSE(keeps_input(false));
}

}  // namespace
}  // namespace tsrun::model
