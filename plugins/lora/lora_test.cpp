#include "tsrun/plugin_testing/delta.h"

#include "tsrun/base/error.h"

#include <gtest/gtest.h>

#include <ATen/ATen.h>

namespace tsrun::plugin_testing {
namespace {

const bool cases = add_delta_case("lora", nlohmann::json::object()) &&
                   add_delta_case("lora", {{"target_modules", {"all-linear"}}, {"r", 4}, {"use_rslora", true}}) &&
                   add_delta_case("lora", {{"use_dora", true}, {"r", 3}}) && add_delta_case("lora", {{"init_lora_weights", "pissa"}}) &&
                   add_delta_case("lora", {{"init_lora_weights", "orthogonal"}, {"lora_dropout", 0.2}});

int64_t numbers_of(const SmallModel& model, const nlohmann::json& options) {
  int64_t numbers = 0;
  const Attached attached = attach(delta_method("lora"), model, options);
  for (const DeltaMatch& match : attached.delta->matches()) numbers += match.numbers;
  return numbers;
}

TEST(Lora, CountsAsByHand) {
  EXPECT_EQ(numbers_of(small_bert(), {{"r", 8}}), 2 * 2 * 8 * (24 + 24));
  EXPECT_EQ(numbers_of(small_gpt2(), {{"r", 8}}), 2 * 8 * (24 + 72));  // one fused map makes queries and values
  EXPECT_EQ(numbers_of(small_t5(), {{"r", 8}}), 4 * 2 * 8 * (24 + 24));
  EXPECT_EQ(numbers_of(small_bert(), {{"r", 8}, {"use_dora", true}}), 2 * 2 * (8 * (24 + 24) + 24));
  EXPECT_EQ(numbers_of(small_bert(), {{"r", 8}, {"rank_pattern", {{"value", 2}}}}), 2 * (8 + 2) * (24 + 24));
}

TEST(Lora, NamesTheNearestTarget_WhenOneMatchesNothing) {
  try {
    attach(delta_method("lora"), small_bert(), {{"target_modules", {"qeury"}}});
    FAIL() << "a target that matches nothing was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::user);
    EXPECT_NE(std::string(error.what()).find("'query'"), std::string::npos) << error.what();
  }
}

TEST(Lora, RefusesARankThatTheMapLacks) {
  EXPECT_THROW(attach(delta_method("lora"), small_bert(), {{"r", 25}}), Error);
  EXPECT_THROW(attach(delta_method("lora"), small_bert(), {{"r", 3}, {"init_lora_weights", "orthogonal"}}), Error);
  EXPECT_THROW(attach(delta_method("lora"), small_bert(), {{"use_dora", true}, {"lora_dropout", 0.1}}), Error);
}

}  // namespace
}  // namespace tsrun::plugin_testing
