#include "tsrun/train/optimizer.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tsrun {
namespace {

constexpr int64_t kSize = 5;
constexpr int kSteps = 4;

std::vector<ParameterGroup> one_group() {
  ParameterGroup group;
  group.name = "encoder";
  group.value = at::linspace(-1, 1, kSize);
  group.gradient = at::zeros({kSize});
  group.lr = 0.05;
  group.weight_decay = 0.1;
  group.spans = {{0, 2}, {2, kSize, 1, 0.1}};
  return {group};
}

void fill_gradient(ParameterGroup& group, int t) {
  const at::Tensor index = at::arange(1, kSize + 1, at::kFloat);
  group.gradient.copy_(index.sin() * std::cos(0.7F * static_cast<float>(t)) + 0.1 * group.value);
}

void run(Optimizer& optimizer, std::vector<ParameterGroup>& groups, int from, int to) {
  for (int t = from; t < to; ++t) {
    fill_gradient(groups[0], t);
    optimizer.step(1);
  }
}

void expect_values(const at::Tensor& value, const std::vector<float>& golden) {
  for (int64_t i = 0; i < kSize; ++i) EXPECT_NEAR(value[i].item<float>(), golden[static_cast<size_t>(i)], 1e-6) << "element " << i;
}

// Golden numbers: tests/goldens/make_optimizers.py
TEST(Optimizer, EqualsTorchOptim_AdamW) {
  auto groups = one_group();
  const auto optimizer = make_adamw(groups, {});
  run(*optimizer, groups, 0, kSteps);
  expect_values(groups[0].value, {-1.15076232f, -0.656917632f, -0.154883534f, 0.644424915f, 1.13119352f});
}

TEST(Optimizer, EqualsTorchOptim_Sgd) {
  auto groups = one_group();
  const auto optimizer = make_sgd(groups, {});
  run(*optimizer, groups, 0, kSteps);
  expect_values(groups[0].value, {-1.03932834f, -0.554023802f, -0.00976086408f, 0.532643914f, 1.02692199f});
}

TEST(Optimizer, EqualsTorchOptim_SgdWithMomentum) {
  auto groups = one_group();
  const auto optimizer = make_sgd(groups, {.momentum = 0.9});
  run(*optimizer, groups, 0, kSteps);
  expect_values(groups[0].value, {-1.17680395f, -0.717124462f, -0.0367574953f, 0.652567327f, 1.16065705f});
}

TEST(Optimizer, ContinuesBitEqual_FromItsState) {
  auto whole = one_group(), first = one_group();
  const auto reference = make_adamw(whole, {});
  run(*reference, whole, 0, kSteps);
  const auto before = make_adamw(first, {});
  run(*before, first, 0, 2);
  std::map<std::string, at::Tensor> saved;
  for (const auto& [name, tensor] : before->state()) saved[name] = tensor.clone();

  auto second = one_group();
  second[0].value.copy_(first[0].value);
  const auto after = make_adamw(second, {});
  after->restore(saved);
  run(*after, second, 2, kSteps);
  EXPECT_TRUE(at::equal(second[0].value, whole[0].value));
}

/// A first step of AdamW without decay moves every value by the learning rate.
TEST(Optimizer, BeginsAgain_WhereATensorsMomentsAreForgotten) {
  std::vector<ParameterGroup> groups(1);
  ParameterGroup& group = groups[0];
  group.name = "encoder";
  group.layout = Layout().add("a", {2}).add("b", {3});
  group.value = at::zeros({kSize});
  group.gradient = at::linspace(0.5, 1, kSize);
  group.lr = 0.05;
  group.spans = {{0, kSize}};
  const auto optimizer = make_adamw(groups, {});
  for (int t = 0; t < 200; ++t) optimizer->step(1);
  optimizer->forget(0, at::arange(kSize) >= 2);
  const at::Tensor before = group.value.clone();
  optimizer->step(1);
  EXPECT_TRUE(at::allclose(before - group.value, at::full({kSize}, 0.05), 1e-4, 1e-6)) << before - group.value;
}

TEST(Optimizer, LeavesValuesAlone_WhenTheFactorIsZero) {
  auto groups = one_group();
  const auto optimizer = make_adamw(groups, {});
  fill_gradient(groups[0], 0);
  optimizer->step(0);
  EXPECT_TRUE(at::equal(groups[0].value, one_group()[0].value));
}

TEST(Optimizer, RefusesSpans_BeyondTheGroup) {
  auto groups = one_group();
  groups[0].spans = {{3, 9}};
  EXPECT_THROW(make_adamw(groups, {}), Error);
}

TEST(ClipGradients, ScalesTheJointNorm_OverAllGroups) {
  std::vector<ParameterGroup> groups(2);
  groups[0].gradient = at::full({100003}, 0.5F);
  groups[1].gradient = at::full({7}, -2.0F);
  const double expected = std::sqrt(0.25 * 100003 + 4.0 * 7);
  EXPECT_NEAR(clip_gradients(groups, 1.0), expected, 1e-9);
  EXPECT_NEAR(clip_gradients(groups, 1.0), 1.0, 1e-5);
}

TEST(ClipGradients, LeavesGradientsAlone_BelowTheLimitOrWithoutOne) {
  std::vector<ParameterGroup> groups(1);
  groups[0].gradient = at::full({16}, 0.5F);
  EXPECT_EQ(clip_gradients(groups, 2.5), 2.0);
  EXPECT_EQ(clip_gradients(groups, 0), 2.0);
}

TEST(ClipGradients, ReportsANonFiniteNorm) {
  std::vector<ParameterGroup> groups(1);
  groups[0].gradient = at::full({16}, 0.5F);
  groups[0].gradient[3] = std::nanf("");
  EXPECT_FALSE(std::isfinite(clip_gradients(groups, 1)));
}

}  // namespace
}  // namespace tsrun
