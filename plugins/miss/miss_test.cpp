#include "tsrun/plugin_testing/delta.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <gtest/gtest.h>

#include "support/errors.h"

#include <c10/core/GradMode.h>

namespace tsrun::miss {
namespace {

using namespace plugin_testing;

const bool cases = add_delta_case("miss", {{"r", 7}}) &&
                   add_delta_case("miss", {{"r", 4}, {"target_modules", "all-linear"}, {"miss_dropout", 0.2}, {"bias", "MiSS_only"}}) &&
                   add_delta_case("miss", {{"r", 4}, {"init_weights", "bat"}}) &&
                   add_delta_case("miss", {{"r", 4}, {"init_weights", "mini"}, {"mini_r", 3}});

const std::string map = "bert.encoder.layer.1.intermediate.dense";  // 24 to 40

Attached attached_to(nlohmann::json options) {
  options["target_modules"] = nlohmann::json::array({map});
  return attach(delta_method("miss"), small_bert(), options);
}

at::Tensor update_in(const Attached& attached) {
  const c10::NoGradGuard guard;
  return attached.delta->merge(attached.random)->at(map + ".weight") - attached.random.at(map + ".weight");
}

TEST(Miss, CountsAsByHand) {
  const auto numbers = [](const nlohmann::json& options) { return attached_to(options).delta->matches().at(0).numbers; };
  EXPECT_EQ(numbers({{"r", 7}}), 7 * 40);
  EXPECT_EQ(numbers({{"r", 8}, {"init_weights", "bat"}}), 5 * 8 * 8);
  EXPECT_EQ(numbers({{"r", 8}, {"init_weights", "mini"}, {"mini_r", 5}}), 8 * 5);
}

TEST(Miss, GivesColumnsThatAgreeModuloTheRankOneShard) {
  const Attached attached = attached_to({{"r", 7}});
  const at::Tensor update = update_in(attached), block = attached.random.at(map + ".miss_block");
  for (int64_t column = 0; column < 24; ++column)
    EXPECT_TRUE(at::allclose(update.select(1, column), block[column % 7], 1e-4, 1e-6)) << column;
}

TEST(Miss, RepeatsAMiniShardOverTheOutputs) {
  const Attached attached = attached_to({{"r", 6}, {"init_weights", "mini"}, {"mini_r", 5}});
  const at::Tensor update = update_in(attached), block = attached.random.at(map + ".miss_block");
  for (const auto& [row, column] : std::vector<std::pair<int64_t, int64_t>>{{0, 0}, {13, 20}, {39, 23}})
    EXPECT_NEAR(update[row][column].item<double>(), block[column % 6][row % 5].item<double>(), 1e-6);
}

TEST(Miss, MultipliesTheWeightsOwnBlocks_InBat) {
  const Attached attached = attached_to({{"r", 8}, {"init_weights", "bat"}});
  const at::Tensor update = update_in(attached), w = attached.random.at(map + ".weight"), block = attached.random.at(map + ".miss_block");
  for (int64_t p = 0; p < 5; ++p)
    for (int64_t q = 0; q < 3; ++q) {
      const auto at_block = [&](const at::Tensor& matrix) { return matrix.narrow(0, 8 * p, 8).narrow(1, 8 * q, 8); };
      EXPECT_TRUE(at::allclose(at_block(update), at::matmul(at_block(w), block[p]) + block[p], 1e-4, 1e-5));
    }
}

TEST(Miss, RefusesShardsThatDoNotFit) {
  const std::vector<std::pair<nlohmann::json, std::string>> refused = {
      {{{"r", 25}}, "24 inputs"},
      {{{"r", 7}, {"init_weights", "bat"}}, "to divide both"},
      {{{"r", 4}, {"init_weights", "mini"}, {"mini_r", 7}}, "a divisor"},
      {{{"r", 4}, {"init_weights", "bat"}, {"miss_dropout", 0.1}}, "no effect"},
  };
  for (const auto& [options, said] : refused) {
    try {
      attached_to(options);
      FAIL() << options << " was accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::user);
      EXPECT_NE(std::string(error.what()).find(said), std::string::npos) << error.what();
    }
  }
}

TEST(Miss, RefusesOptionsThatNothingReads_AndReadsFoldersThatNameThem) {
  const std::vector<std::pair<nlohmann::json, std::string>> refused = {{{{"r", 4}, {"mini_r", 2}}, "'mini_r'"},
                                                                       {{{"r", 4}, {"init_weights", "bat"}, {"mini_r", 2}}, "'mini_r'"}};
  for (const auto& [options, said] : refused)
    EXPECT_THAT(testing::message_of(ErrorKind::user, [&, &options = options] { attach(delta_method("miss"), small_bert(), options); }),
                ::testing::HasSubstr("miss: nothing reads option " + said));
  const DeltaMethod& method = delta_method("miss");
  for (const nlohmann::ordered_json& config : std::vector<nlohmann::ordered_json>{{{"r", 4}, {"init_weights", true}, {"mini_r", 2}},
                                                                                  {{"r", 4}, {"init_weights", "bat"}, {"mini_r", 2}},
                                                                                  {{"r", 4}, {"init_weights", "mini"}, {"mini_r", 2}}})
    EXPECT_NO_THROW(attach(method, small_bert(), method.options_from_peft(config))) << config;
}

}  // namespace
}  // namespace tsrun::miss
