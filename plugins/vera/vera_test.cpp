#include "tsrun/plugin_testing/delta.h"

#include "tsrun/base/operators.h"

#include <gtest/gtest.h>

#include <c10/core/GradMode.h>

namespace tsrun::vera {
namespace {

using namespace plugin_testing;

const bool cases = add_delta_case("vera", {{"r", 8}}) &&
                   add_delta_case("vera", {{"target_modules", "all-linear"}, {"r", 5}, {"bias", "vera_only"}}) &&
                   add_delta_case("vera", {{"r", 40}, {"vera_dropout", 0.3}, {"projection_prng_key", 3}});

int64_t vera_numbers(const SmallModel& model, const nlohmann::json& options) {
  int64_t numbers = 0;
  for (const DeltaMatch& match : attach(delta_method("vera"), model, options).delta->matches()) numbers += match.numbers;
  return numbers;
}

TEST(Vera, CountsAsByHand) {
  EXPECT_EQ(vera_numbers(small_bert(), nlohmann::json::object()), 2 * 2 * (256 + 24));
  EXPECT_EQ(vera_numbers(small_gpt2(), {{"r", 7}}), 2 * (7 + 72));
  EXPECT_EQ(vera_numbers(small_bert(), {{"r", 7}, {"bias", "vera_only"}}), 2 * 2 * (7 + 24 + 24));
}

TEST(Vera, SharesOnePairOfTheLargestShape_AndScalesItsUpperLeftPart) {
  const c10::NoGradGuard guard;
  const std::string map = "bert.encoder.layer.1.output.dense", other = "bert.encoder.layer.1.intermediate.dense";
  const Attached attached = attach(delta_method("vera"), small_bert(), {{"r", 3}, {"target_modules", {map, other}}});
  const at::Tensor a = attached.random.at("vera_A"), b = attached.random.at("vera_B");
  EXPECT_EQ(a.sizes(), (at::IntArrayRef{3, 40}));  // output.dense has 40 inputs, intermediate.dense 40 outputs
  EXPECT_EQ(b.sizes(), (at::IntArrayRef{40, 3}));
  const at::Tensor update = at::matmul(attached.random.at(map + ".vera_lambda_b").unsqueeze(1) * b.narrow(0, 0, 24),
                                       attached.random.at(map + ".vera_lambda_d").unsqueeze(1) * a);
  const at::Tensor merged = attached.delta->merge(attached.random)->at(map + ".weight");
  EXPECT_TRUE(at::allclose(merged - attached.random.at(map + ".weight"), update, 1e-5, 1e-6));
}

TEST(Vera, DrawsItsProjectionsFromTheirOwnSeed) {
  const auto projection = [](int seed) {
    return attach(delta_method("vera"), small_bert(), {{"r", 4}, {"projection_prng_key", seed}}).first.at("vera_A");
  };
  EXPECT_FALSE(at::equal(projection(0), projection(1)));
  const double bound = std::sqrt(6.0 / 24);
  EXPECT_LE(projection(0).abs().max().item<double>(), bound);
  EXPECT_GT(projection(0).abs().max().item<double>(), 0.9 * bound);
}

}  // namespace
}  // namespace tsrun::vera
