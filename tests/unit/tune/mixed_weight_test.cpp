#include "tsrun/tune/mixed_weight.h"

#include "tsrun/base/operators.h"
#include "unit/tune/fakes.h"

#include <torch/csrc/autograd/autograd.h>

namespace tsrun {
namespace {

using testing_tune::error_of;

struct Mixture {
  at::Tensor weight = at::arange(12, at::kFloat).view({3, 4}).cos().set_requires_grad(true);
  at::Tensor target = at::arange(12, at::kFloat).view({3, 4}).sin();
};

/// Mixout's formula as it is written.
at::Tensor formula(const Mixture& mixture, const at::Tensor& kept, double p) {
  const at::Tensor n = kept.to(at::kDouble), w = mixture.weight.detach().to(at::kDouble), t = mixture.target.to(at::kDouble);
  return ((1 - n) * t + n * w - p * t) / (1 - p);
}

at::Tensor bools(const std::vector<int>& numbers) { return at::tensor(numbers).to(at::kBool); }

/// One number per input of both orders of a weight, one per element, and what needs no kernel.
TEST(MixedWeight, IsMixoutsFormula_AndItsGradientIsMasked) {
  for (const at::Tensor& kept :
       {bools({1, 0, 0, 1}), bools({0, 1, 1}).view({3, 1}), bools({1, 0, 1, 1, 0, 1, 0, 0, 1, 1, 0, 1}).view({3, 4})}) {
    Mixture mixture;
    const at::Tensor mixed = mixed_weight(mixture.weight, mixture.target, kept, 0.3);
    EXPECT_TRUE(at::allclose(mixed.to(at::kDouble), formula(mixture, kept, 0.3), 1e-6, 1e-7)) << kept;
    const at::Tensor incoming = at::arange(12, at::kFloat).view({3, 4}) + 1;
    mixed.backward(incoming);
    EXPECT_TRUE(at::equal(mixture.weight.grad(), incoming * kept)) << kept;
    const at::Tensor doubled = mixed_weight(mixture.weight.detach().to(at::kDouble), mixture.target.to(at::kDouble), kept, 0.3);
    EXPECT_TRUE(at::allclose(doubled, formula(mixture, kept, 0.3), 1e-14, 1e-14)) << kept;
  }
}

TEST(MixedWeight, HasTheDerivativeAsGradient_WhenRescaled) {
  Mixture mixture;
  const at::Tensor kept = bools({1, 0, 0, 1});
  mixed_weight(mixture.weight, mixture.target, kept, 0.75, true).sum().backward();
  EXPECT_TRUE(at::allclose(mixture.weight.grad(), kept.expand({3, 4}).to(at::kFloat) * 4));
}

TEST(MixedWeight, PassesTheWholeGradient_WhereAScopeMasksIt) {
  Mixture mixture;
  mixed_weight(mixture.weight, mixture.target, bools({1, 0, 0, 1}), 0.75, true, true).sum().backward();
  EXPECT_TRUE(at::allclose(mixture.weight.grad(), at::full({3, 4}, 4.0F)));
}

TEST(MixedWeight, IsTheWeightWithoutMixing_AndTheTargetWithNothingKept) {
  const Mixture mixture;
  EXPECT_TRUE(at::allclose(mixed_weight(mixture.weight, mixture.target, bools({1, 1, 1, 1}), 0), mixture.weight, 1e-6, 1e-7));
  for (const double p : {0.5, 1.0})
    EXPECT_TRUE(at::equal(mixed_weight(mixture.weight, mixture.target, bools({0, 0, 0, 0}), p), mixture.target));
  EXPECT_TRUE(at::equal(mixed_weight(mixture.weight, mixture.target, bools({1, 0, 1, 0}), 1), mixture.target));
}

TEST(MixedWeight, CanBeDifferentiatedTwice) {
  Mixture mixture;
  const at::Tensor kept = bools({1, 0, 1, 1}), cubes = mixed_weight(mixture.weight, mixture.target, kept, 0.5).pow(3).sum();
  const at::Tensor gradient = torch::autograd::grad({cubes}, {mixture.weight}, {}, true, true)[0];
  const at::Tensor curvature = torch::autograd::grad({gradient.sum()}, {mixture.weight})[0];
  EXPECT_TRUE(at::allclose(curvature, 6 * formula(mixture, kept, 0.5).to(at::kFloat) * kept, 1e-5, 1e-6));
}

TEST(MixedWeight, IsUnbiasedOverItsNoise) {
  const Mixture mixture;
  const ParameterInfo info{"w", {3, 4}, Part::encoder, 0, ParameterKind::weight, "w"};
  at::Tensor sum = at::zeros({3, 4}, at::kDouble);
  constexpr uint64_t draws = 4000;
  for (uint64_t i = 0; i < draws; ++i)
    sum += mixed_weight(mixture.weight.detach(), mixture.target, draw_kept(info, 0.4, true, Key::root(2).split(i)), 0.4);
  EXPECT_TRUE(at::allclose(sum / static_cast<double>(draws), mixture.weight.detach().to(at::kDouble), 0, 0.06));
}

TEST(MixedWeight, DrawsOneNumberPerInput_InEitherOrderOfTheWeight) {
  ParameterInfo info{"w", {3, 500}, Part::encoder, 0, ParameterKind::weight, "w"};
  const auto shape = [&](bool per_input) { return draw_kept(info, 0.3, per_input, Key::root(1)).sizes().vec(); };
  EXPECT_EQ(shape(true), (std::vector<int64_t>{500}));
  EXPECT_EQ(shape(false), (std::vector<int64_t>{3, 500}));
  info.transposed = true;
  EXPECT_EQ(shape(true), (std::vector<int64_t>{3, 1}));
  info.kind = ParameterKind::embedding;
  EXPECT_EQ(shape(true), (std::vector<int64_t>{3, 500}));
  info.shape = {500};
  EXPECT_EQ(shape(true), (std::vector<int64_t>{500}));
  EXPECT_NEAR(draw_kept(info, 0.3, true, Key::root(1)).sum().item<double>(), 350, 40);
  EXPECT_EQ(draw_kept(info, 1, true, Key::root(1)).sum().item<int64_t>(), 0);
}

TEST(MixedWeight, RefusesOtherNoiseAndShares) {
  const Mixture mixture;
  EXPECT_NE(error_of(ErrorKind::internal, [&] { mixed_weight(mixture.weight, mixture.target, at::ones({4}), 0.5); }).find("expected bool"),
            std::string::npos);
  EXPECT_NE(error_of(ErrorKind::internal,
                     [&] {
                       mixed_weight(mixture.weight, mixture.target, bools({1, 1, 1, 1}), 1.5);
                     })
                .find("p is 1.5"),
            std::string::npos);
}

}  // namespace
}  // namespace tsrun
