#include "tsrun/plugin_testing/delta.h"
#include "tsrun/plugin_testing/step_plugins.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <gtest/gtest.h>

namespace tsrun::weight_decay_to_origin {
namespace {

using namespace plugin_testing;

const bool cases = add_regularizer_case("weight_decay_to_origin", {{"strength", 0.5}, {"head", true}}) &&
                   add_regularizer_case("weight_decay_to_origin", {{"strength", 0.5}, {"mode", "loss"}, {"head", true}});

/// One block of four values, of which the optimiser updates the last two at half the rate, one step away from its origin.
struct OneBlock {
  SmallModel model = small_bert();
  Layout layout = Layout().add("a", {2}).add("b", {2});
  Step step{0, 1, 0, Key::root(1), *model.family, model.weights, {}, 1, false};
  explicit OneBlock(const std::string& name) {
    step.blocks.push_back({name, &layout, at::arange(4, at::kFloat), at::zeros({4}), at::full({4}, 10.0F), 0.1, {{2, 4, 0.5}}});
  }
};

std::unique_ptr<Regularizer> made(const OneBlock& one, const nlohmann::json& options) {
  const RegularizerMethod& method = regularizer_method("weight_decay_to_origin");
  return method.make({*one.model.family, one.model.weights, Key::root(1)}, method.options().resolve(options, "test"));
}

TEST(WeightDecayToOrigin, PullsByTheRateOfEachParameter) {
  OneBlock one("encoder");
  made(one, {{"strength", 0.4}})->after_update(one.step);
  const double pull = 0.1 * 0.5 * 0.4;
  EXPECT_TRUE(
      at::allclose(one.step.blocks[0].value, at::tensor({0.0F, 1.0F, static_cast<float>(2 + pull * 8), static_cast<float>(3 + pull * 7)})));
}

TEST(WeightDecayToOrigin, LeavesTheFreshHead_UnlessAsked) {
  OneBlock one("head");
  made(one, {{"strength", 0.4}})->after_update(one.step);
  EXPECT_TRUE(at::equal(one.step.blocks[0].value, at::arange(4, at::kFloat)));
  made(one, {{"strength", 0.4}, {"head", true}})->after_update(one.step);
  EXPECT_FALSE(at::equal(one.step.blocks[0].value, at::arange(4, at::kFloat)));
}

TEST(WeightDecayToOrigin, IsHalfTheSquaredDistance_InTheLoss) {
  OneBlock one("encoder");
  Weights now;
  Weights origin;
  for (const char* name : {"a", "b"}) {
    now.set(name, at::full({2}, 3.0F).set_requires_grad(true));
    origin.set(name, at::full({2}, 1.0F));
  }
  const RegularizerMethod& method = regularizer_method("weight_decay_to_origin");
  const auto term =
      method.make({*one.model.family, origin, Key::root(1)}, method.options().resolve({{"strength", 0.5}, {"mode", "loss"}}, "test"));
  Step step{0, 1, 0, Key::root(1), *one.model.family, now, one.step.blocks, 1, false};
  const at::Tensor loss = term->step_loss(step);
  EXPECT_DOUBLE_EQ(loss.item<double>(), 0.25 * 4 * 4);
  loss.backward();
  EXPECT_TRUE(at::allclose(now.at("a").grad(), at::full({2}, 1.0F)));
}

}  // namespace
}  // namespace tsrun::weight_decay_to_origin
