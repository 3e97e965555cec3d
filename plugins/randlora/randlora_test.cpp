#include "tsrun/plugin_testing/delta.h"

#include "tsrun/base/operators.h"

#include <gtest/gtest.h>

#include "support/errors.h"

#include <c10/core/GradMode.h>

namespace tsrun::randlora {
namespace {

using namespace plugin_testing;

const bool cases =
    add_delta_case("randlora", nlohmann::json::object()) &&
    add_delta_case("randlora",
                   {{"r", 5}, {"randlora_alpha", 5}, {"sparse", true}, {"target_modules", "all-linear"}, {"bias", "randlora_only"}}) &&
    add_delta_case("randlora", {{"r", 6}, {"randlora_alpha", 12}, {"very_sparse", true}, {"randlora_dropout", 0.3}});

TEST(RandLora, CountsAsByHand) {
  const auto numbers = [](const SmallModel& model, const nlohmann::json& options) {
    int64_t sum = 0;
    for (const DeltaMatch& match : attach(delta_method("randlora"), model, options).delta->matches()) sum += match.numbers;
    return sum;
  };
  EXPECT_EQ(numbers(small_bert(), nlohmann::json::object()), 2 * 2 * (32 + 24));  // one product of rank 32 is enough
  EXPECT_EQ(numbers(small_bert(), {{"r", 5}}), 2 * 2 * (5 * 5 + 5 * 24));         // ⌈24 / 5⌉ = 5 products
  EXPECT_EQ(numbers(small_gpt2(), {{"r", 6}}), 2 * (6 * 4 + 4 * 24));             // of 24 inputs and 72 outputs
}

TEST(RandLora, ReachesFullRank) {
  const c10::NoGradGuard guard;
  const std::string map = "bert.encoder.layer.0.attention.self.query.weight";
  const Attached attached = attach(delta_method("randlora"), small_bert(), {{"r", 3}});
  const at::Tensor update = attached.delta->merge(attached.random)->at(map) - attached.random.at(map);
  EXPECT_EQ(at::linalg_matrix_rank(update.to(at::kDouble), 1e-6).item<int64_t>(), 24);
}

TEST(RandLora, DrawsTernaryBasesOfUnitDeviation) {
  const Attached attached = attach(delta_method("randlora"), small_bert(), {{"r", 4}, {"sparse", true}});
  const at::Tensor b = attached.first.at("randlora_B");
  const double unit = b.abs().max().item<double>();
  EXPECT_TRUE(at::logical_or(b == 0, (b.abs() - unit).abs() < 1e-6).all().item<bool>());
  EXPECT_NEAR((b == 0).to(at::kFloat).mean().item<double>(), 2.0 / 3, 0.08);
  EXPECT_NEAR(b.std().item<double>(), 1, 1e-5);
}

TEST(RandLora, RefusesOptionsThatNothingReads_AndReadsFoldersThatNameThem) {
  const std::vector<std::pair<nlohmann::json, std::string>> refused = {{{{"sparse", true}, {"very_sparse", true}}, "'sparse'"}};
  for (const auto& [options, said] : refused)
    EXPECT_THAT(testing::message_of(ErrorKind::user, [&, &options = options] { attach(delta_method("randlora"), small_bert(), options); }),
                ::testing::HasSubstr("randlora: nothing reads option " + said));
  const DeltaMethod& method = delta_method("randlora");
  for (const nlohmann::ordered_json& config :
       std::vector<nlohmann::ordered_json>{{{"sparse", true}, {"very_sparse", true}}, {{"sparse", true}, {"very_sparse", false}}})
    EXPECT_NO_THROW(attach(method, small_bert(), method.options_from_peft(config))) << config;
}

}  // namespace
}  // namespace tsrun::randlora
