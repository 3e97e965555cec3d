#include "tsrun/plugin_testing/delta.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <gtest/gtest.h>

#include <c10/core/GradMode.h>

namespace tsrun::loha {
namespace {

using namespace plugin_testing;

const bool cases = add_delta_case("loha", nlohmann::json::object()) &&
                   add_delta_case("loha", {{"r", 2}, {"target_modules", "all-linear"}, {"init_weights", false}}) &&
                   add_delta_case("loha", {{"r", 3}, {"rank_pattern", {{"value", 2}}}, {"rank_dropout", 0.3}, {"module_dropout", 0.2}});

const std::string loha_map = "bert.encoder.layer.0.attention.self.query";

TEST(LoHa, CountsAsByHand) {
  int64_t numbers = 0;
  const Attached attached = attach(delta_method("loha"), small_bert(), {{"r", 3}, {"rank_pattern", {{"value", 2}}}});
  for (const DeltaMatch& match : attached.delta->matches()) numbers += match.numbers;
  EXPECT_EQ(numbers, 2 * (3 + 2) * 2 * (24 + 24));
}

/// What the hook adds to zeros in a training pass, for unit inputs: the update's transpose.
at::Tensor loha_added(const nlohmann::json& options, int seed) {
  const c10::NoGradGuard guard;
  const Attached attached = attach(delta_method("loha"), small_bert(), options);
  ForwardOptions forward;
  forward.training = true;
  forward.dropout = Key::root(static_cast<uint64_t>(seed));
  attached.delta->install(attached.random, forward);
  const at::Tensor zeros = at::zeros({24, 24}), unit = at::eye(24);
  return forward.at_linear.empty() ? zeros : forward.at_linear.front()({loha_map, unit, zeros}, zeros);
}

TEST(LoHa, DropsWholeRowsOfTheUpdate_AndScalesTheOthers) {
  const at::Tensor plain = loha_added({{"r", 3}, {"rank_dropout", 1e-9}}, 1), dropped = loha_added({{"r", 3}, {"rank_dropout", 0.5}}, 1);
  const at::Tensor kept = dropped.abs().sum(0) > 0;
  const auto count = kept.sum().item<double>();
  EXPECT_GT(count, 0);
  EXPECT_LT(count, 24);
  EXPECT_TRUE(at::allclose(dropped, plain * kept * (24 / count), 1e-4, 1e-6));
}

TEST(LoHa, DropsWholeModulesAsOftenAsSaid) {
  int dropped = 0;
  for (int seed = 0; seed < 200; ++seed) dropped += loha_added({{"module_dropout", 0.25}}, seed).any().item<bool>() ? 0 : 1;
  EXPECT_NEAR(dropped, 50, 20);
}

TEST(LoHa, RefusesARankThatIsNone) {
  EXPECT_THROW(attach(delta_method("loha"), small_bert(), {{"rank_pattern", {{"value", 2.5}}}}), Error);
}

}  // namespace
}  // namespace tsrun::loha
