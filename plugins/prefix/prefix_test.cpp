#include "tsrun/plugin_testing/delta.h"

#include "tsrun/base/error.h"

#include <gtest/gtest.h>

namespace tsrun::plugin_testing {
namespace {

const bool cases = add_delta_case("prefix", nlohmann::json::object()) &&
                   add_delta_case("prefix", {{"num_virtual_tokens", 4}, {"prefix_projection", true}, {"encoder_hidden_size", 8}});

int64_t prefix_numbers(const SmallModel& model, const nlohmann::json& options) {
  const Attached attached = attach(delta_method("prefix"), model, options);
  int64_t numbers = 0;
  for (const DeltaMatch& match : attached.delta->matches()) numbers += match.numbers;
  return numbers;
}

TEST(Prefix, CountsAsByHand) {
  const int64_t row = 2 * 2 * 24;  // layers, key and value, width
  EXPECT_EQ(prefix_numbers(small_bert(), {{"num_virtual_tokens", 5}}), 5 * row);
  EXPECT_EQ(prefix_numbers(small_t5(), {{"num_virtual_tokens", 5}}), 2 * 5 * row);
  EXPECT_EQ(prefix_numbers(small_t5(), {{"num_virtual_tokens", 5}, {"stacks", "decoder"}}), 5 * row);
  EXPECT_EQ(prefix_numbers(small_bert(), {{"num_virtual_tokens", 5}, {"prefix_projection", true}, {"encoder_hidden_size", 8}}),
            5 * 24 + (24 + 1) * 8 + (8 + 1) * row);
}

TEST(Prefix, RefusesAStackThatTheModelLacks) { EXPECT_THROW(attach(delta_method("prefix"), small_bert(), {{"stacks", "decoder"}}), Error); }

TEST(Prefix, NamesTheNearestChoice) {
  try {
    attach(delta_method("prefix"), small_t5(), {{"stacks", "decodr"}});
    FAIL() << "an unknown choice was accepted";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("'decoder'"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace tsrun::plugin_testing
