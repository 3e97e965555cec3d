#include "tsrun/plugin_testing/delta.h"

#include "tsrun/base/error.h"

#include <gtest/gtest.h>

namespace tsrun::bitfit {
namespace {

using namespace plugin_testing;

const bool cases = add_delta_case("bitfit", nlohmann::json::object()) && add_delta_case("bitfit", {{"norms", false}}) &&
                   add_delta_case("bitfit", {{"query_and_feed_forward_only", true}});

int64_t biases_of(const nlohmann::json& options) {
  const Attached attached = attach(delta_method("bitfit"), small_bert(), options);
  EXPECT_TRUE(attached.delta->tensors().empty());
  int64_t numbers = 0;
  for (const DeltaMatch& match : attached.delta->matches()) numbers += match.numbers;
  return numbers;
}

TEST(BitFit, CountsAsByHand) {
  const int64_t maps = 4 * 24 + 40 + 24, norms = 2 * 24;
  EXPECT_EQ(biases_of(nlohmann::json::object()), 2 * (maps + norms));
  EXPECT_EQ(biases_of({{"norms", false}}), 2 * maps);
  EXPECT_EQ(biases_of({{"query_and_feed_forward_only", true}}), 2 * (24 + 40));
}

TEST(BitFit, RefusesAModelWithoutBiases) { EXPECT_THROW(attach(delta_method("bitfit"), small_t5()), Error); }

TEST(BitFit, NamesTheNearestOption) {
  try {
    attach(delta_method("bitfit"), small_bert(), {{"norm", false}});
    FAIL() << "an unknown option was accepted";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("'norms'"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace tsrun::bitfit
