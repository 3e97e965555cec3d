#include "support/step_goldens.h"
#include "tsrun/plugin_testing/delta.h"
#include "tsrun/plugin_testing/step_plugins.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tsrun::recadam {
namespace {

using namespace plugin_testing;

const bool cases = add_regularizer_case("recadam", {{"gamma", 20}, {"t0", 3}}) &&
                   add_regularizer_case("recadam", {{"gamma", 20}, {"anneal", "linear"}, {"t0", 4}, {"head", true}}) &&
                   add_regularizer_case("recadam", {{"gamma", 20}, {"anneal", "constant"}, {"anneal_w", 0.5}});

std::unique_ptr<Regularizer> made(const nlohmann::json& options) {
  const RegularizerMethod& method = regularizer_method("recadam");
  const SmallModel model = small_bert();
  return method.make({*model.family, model.weights, Key::root(1)}, method.options().resolve(options, "test"));
}

/// One block of four values one step away from their origin, of which the optimiser updates the last two at half the rate, with decay.
struct OneBlock {
  SmallModel model = small_bert();
  Layout layout = Layout().add("a", {2}).add("b", {2});
  Step step{1, 9, 0, Key::root(1), *model.family, model.weights, {}, 1, false};
  explicit OneBlock(const std::string& name) {
    step.blocks.push_back({name, &layout, at::arange(4, at::kFloat), at::zeros({4}), at::full({4}, 10.0F), 0.1, {{2, 4, 0.5, 0.2}}});
  }
  const Block& block() const { return step.blocks[0]; }
};

/// At t = 2 of a sigmoid around 2, λ is half of anneal_w.
TEST(RecAdam, ShrinksTheUpdate_PullsByTheRest_AndMakesDecayWhole) {
  OneBlock one("encoder");
  const auto recadam = made({{"gamma", 3}, {"k", 7}, {"t0", 2}, {"anneal_w", 0.8}});
  recadam->before_update(one.step);
  EXPECT_DOUBLE_EQ(one.block().rate_factor, 0.4);
  const double rate = 0.05, pull = rate * 0.4 * 3, decay = 1 - rate * 0.2;
  one.block().value.narrow(0, 2, 2).mul_(1 - rate * 0.4 * 0.2);  // AdamW without a gradient
  recadam->after_update(one.step);
  const auto after = [&](double value) { return static_cast<float>((value + pull * (10 - value)) * decay); };
  EXPECT_TRUE(at::allclose(one.block().value, at::tensor({0.0F, 1.0F, after(2), after(3)})));
}

TEST(RecAdam, LeavesTheHeadToTheOptimiser_UnlessAsked) {
  for (const bool asked : {false, true}) {
    OneBlock one("head");
    const auto recadam = made({{"gamma", 3}, {"t0", 2}, {"head", asked}});
    recadam->before_update(one.step);
    recadam->after_update(one.step);
    EXPECT_EQ(one.block().rate_factor != 1, asked);
    EXPECT_EQ(!at::equal(one.block().value, at::arange(4, at::kFloat)), asked);
  }
}

TEST(RecAdam, RefusesAPullThatLeadsAway) {
  OneBlock one("encoder");
  const auto recadam = made({{"gamma", 5000}});
  recadam->before_update(one.step);
  EXPECT_THROW(recadam->after_update(one.step), Error);
}

TEST(RecAdam, IsTheRuleOfItsReference) {
  for (const char* name : {"recadam", "recadam_linear", "recadam_constant"}) {
    const nlohmann::json options = step_goldens().at("cases").at(name).at("arguments");
    const RegularizerMethod& method = regularizer_method("recadam");
    const Options resolved = method.options().resolve(options, "test");
    expect_step_golden(name,
                       {"recadam", options, method.wants(resolved), {}, [&](const MethodInputs& in) { return method.make(in, resolved); }});
  }
}

}  // namespace
}  // namespace tsrun::recadam
