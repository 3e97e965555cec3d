#include "localizer.h"
#include "sub_matrix.h"

#include "tsrun/base/operators.h"
#include "tsrun/plugin_testing/delta.h"
#include "tsrun/plugin_testing/step_plugins.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace tsrun::losia {
namespace {

using namespace plugin_testing;

const bool cases =
    add_selector_case("losia", {{"rank_factor", 0.3}, {"period", 2}}) &&
    add_selector_case("losia", {{"rank_factor", 0.3}, {"period", 1}, {"update", "synchronous"}, {"rewarm", 0}}) &&
    add_selector_case("losia", {{"period", 3}, {"rewarm", 2}, {"taylor", "first"}, {"others", "frozen"}, {"freeze", "gradient"}});

double held_by(const at::Tensor& scores, const at::Tensor& mask) { return (scores * mask).sum().item<double>(); }

void expect_crossing(const at::Tensor& mask, int64_t rows, int64_t columns) {
  EXPECT_EQ(mask.any(1).sum().item<int64_t>(), rows);
  EXPECT_EQ(mask.any(0).sum().item<int64_t>(), columns);
  EXPECT_EQ(mask.sum().item<int64_t>(), rows * columns);
}

TEST(Losia, TakesTheBestOfThreeGreedyChoices) {
  // Rows and columns by their own sums hold 11, and the order that begins with the equal sums holds 15.
  const at::Tensor scores = at::tensor({9.0F, 0.0F, 0.0F, 1.0F, 5.0F, 5.0F, 0.0F, 5.0F, 5.0F}).view({3, 3});
  const at::Tensor mask = losia::best_sub_matrix(scores, 2, 2), turned = losia::best_sub_matrix(scores.t().contiguous(), 2, 2);
  expect_crossing(mask, 2, 2);
  EXPECT_DOUBLE_EQ(held_by(scores, mask), 20) << "rows first";
  EXPECT_DOUBLE_EQ(held_by(scores.t(), turned), 20) << "columns first";
}

TEST(Losia, HoldsAtLeastWhatRandomCrossingsHold) {
  const SmallModel model = small_bert();
  const at::Tensor scores = model.weights.at("bert.encoder.layer.0.intermediate.dense.weight").abs();
  const double best = held_by(scores, losia::best_sub_matrix(scores, 4, 3));
  for (uint64_t i = 0; i < 20; ++i) {
    const at::Tensor random = losia::random_sub_matrix(scores.sizes().vec(), 4, 3, Key::root(i));
    expect_crossing(random, 4, 3);
    EXPECT_LE(held_by(scores, random), best);
  }
}

TEST(Losia, AveragesImportanceAndUncertainty_ByHand) {
  const Options options = selector_method("losia").options().resolve({{"importance_beta", 0.5}, {"uncertainty_beta", 0.25}}, "test");
  losia::Importance importance(options);
  const at::Tensor weight = at::tensor({2.0F}), first = at::tensor({1.0F}), second = at::tensor({-0.5F});
  importance.add("w", {weight, first});
  importance.add("w", {weight, second});
  const double i1 = std::abs(2 - 0.5 * 4), i2 = std::abs(-1 - 0.5 * 1);
  const double a1 = 0.5 * i1, u1 = 0.75 * std::abs(i1 - a1);
  const double a2 = 0.5 * a1 + 0.5 * i2, u2 = 0.25 * u1 + 0.75 * std::abs(i2 - a2);
  EXPECT_NEAR(importance.of("w").item<double>(), a2 * u2, 1e-6);
}

/// The device here is one that computes nothing.
TEST(Losia, ResumesImportanceOnTheDeviceOfTheWeights) {
  const Options options = selector_method("losia").options().resolve({}, "test");
  losia::Importance first(options), resumed(options);
  first.add("w", {at::tensor({2.0F}), at::tensor({1.0F})});
  PluginState state;
  first.save(state);
  Weights weights;
  weights.set("w", at::empty({1}, at::kMeta));
  resumed.restore(state, weights);
  EXPECT_TRUE(resumed.of("w").is_meta());
}

TEST(Losia, TakesTurnsAmongLayers) {
  const losia::Slots turns(10, 3, true), together(10, 3, false);
  EXPECT_TRUE(turns.watches(0, 0) && turns.watches(9, 0) && turns.watches(10, 1) && turns.watches(29, 2) && turns.watches(30, 0));
  EXPECT_FALSE(turns.watches(10, 0) || turns.watches(9, 1));
  EXPECT_TRUE(turns.relocalises(10, 0) && turns.relocalises(20, 1) && turns.relocalises(30, 2) && turns.relocalises(40, 0));
  EXPECT_FALSE(turns.relocalises(0, 0) || turns.relocalises(11, 0) || turns.relocalises(20, 0));
  EXPECT_TRUE(together.watches(5, 2) && together.relocalises(10, 2) && together.relocalises(40, 0));
  EXPECT_FALSE(together.watches(15, 0) || together.relocalises(20, 0));
}

/// A schedule led by hand over made-up steps.
class LosiaSchedule : public ::testing::Test {
 protected:
  /// The scope in force in step `number`.
  const Scope& step_to(int64_t number) {
    MadeUpStep made(model, Key::root(3).split(static_cast<uint64_t>(number)));
    made.step.number = number;
    made.step.chosen = last ? &*last : nullptr;
    if (auto scope = selector->scope(made.step)) last = std::move(scope);
    selector->after_backward(made.step);
    return *last;
  }
  const SelectorMethod& method = selector_method("losia");
  SmallModel model = small_bert();
  std::unique_ptr<Selector> selector = method.make({*model.family, model.weights, Key::root(1)},
                                                   method.options().resolve({{"rank_factor", 0.3}, {"period", 4}, {"rewarm", 4}}, "test"));
  std::optional<Scope> last;
};

TEST_F(LosiaSchedule, MovesOneLayerAtATime_AndWarmsItUpAgain) {
  const Scope first = step_to(0);
  for (int64_t number = 1; number < 4; ++number) step_to(number);
  std::set<int> moved;
  const Scope second = step_to(4);
  for (const ParameterInfo& info : model.family->parameters()) {
    const Scope::Entry before = first.entry(info), after = second.entry(info);
    if (!before.mask.defined()) continue;
    expect_crossing(after.mask, std::max<int64_t>(info.shape[0] * 3 / 10, 1), std::max<int64_t>(info.shape[1] * 3 / 10, 1));
    if (!at::equal(before.mask, after.mask)) moved.insert(info.layer);
    EXPECT_EQ(after.rate, info.layer == 0 ? 0 : 1) << info.name;
  }
  EXPECT_EQ(moved, std::set<int>{0});
  const std::string in_first = "bert.encoder.layer.0.output.dense.weight", in_second = "bert.encoder.layer.1.output.dense.weight";
  EXPECT_DOUBLE_EQ(step_to(5).parameters.at(in_first).rate, 0.25);
  step_to(6), step_to(7);
  const Scope third = step_to(8);
  EXPECT_DOUBLE_EQ(third.parameters.at(in_first).rate, 1);
  EXPECT_DOUBLE_EQ(third.parameters.at(in_second).rate, 0);
  EXPECT_TRUE(at::equal(third.parameters.at(in_first).mask, second.parameters.at(in_first).mask));
  EXPECT_EQ(selector->report().at("masks"), 3);
  EXPECT_EQ(third.moments, Moments::drop);
}

/// (1 - 0.8) · 40 is a little less than 8.
TEST(Losia, TakesTheShareAsWritten_WhateverTheRoundingOfTheProduct) {
  const SelectorMethod& method = selector_method("losia");
  const SmallModel model = small_bert();
  const auto selector =
      method.make({*model.family, model.weights, Key::root(1)}, method.options().resolve({{"rank_factor", 1 - 0.8}}, "test"));
  MadeUpStep made(model, Key::root(3));
  const Scope scope = *selector->scope(made.step);
  expect_crossing(scope.parameters.at("bert.encoder.layer.0.intermediate.dense.weight").mask, 8, 4);
}

TEST(Losia, ActsOnEveryKindOfModel) {
  const SelectorMethod& method = selector_method("losia");
  for (const SmallModel& model : {small_gpt2(), small_t5()}) {
    const auto selector = method.make({*model.family, model.weights, Key::root(1)}, method.options().resolve({{"period", 1}}, "test"));
    std::optional<Scope> last;
    for (int64_t number = 0; number <= model.family->layers(); ++number) {
      MadeUpStep made(model, Key::root(3));
      made.step.number = number;
      made.step.chosen = last ? &*last : nullptr;
      if (auto scope = selector->scope(made.step)) last = std::move(scope);
      selector->after_backward(made.step);
    }
    last->check(*model.family, model.name);
    EXPECT_EQ(selector->report().at("masks"), model.family->layers() + 1) << "a turn of every layer, " << model.name;
  }
}

}  // namespace
}  // namespace tsrun::losia
