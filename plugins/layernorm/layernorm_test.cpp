#include "tsrun/plugin_testing/delta.h"

#include "tsrun/base/error.h"

#include <gtest/gtest.h>

namespace tsrun::layernorm {
namespace {

using namespace plugin_testing;

const bool cases = add_delta_case("layernorm", nlohmann::json::object()) && add_delta_case("layernorm", {{"embeddings", false}}) &&
                   add_delta_case("layernorm", {{"target_modules", {"output.LayerNorm"}}});

int64_t norms_of(const SmallModel& model, const nlohmann::json& options) {
  const Attached attached = attach(delta_method("layernorm"), model, options);
  int64_t numbers = 0;
  for (const DeltaMatch& match : attached.delta->matches()) numbers += match.numbers;
  return numbers;
}

TEST(LayerNorm, CountsAsByHand) {
  EXPECT_EQ(norms_of(small_bert(), nlohmann::json::object()), (1 + 2 * 2) * 2 * 24);  // gains and biases; one norm behind the embeddings
  EXPECT_EQ(norms_of(small_bert(), {{"embeddings", false}}), 2 * 2 * 2 * 24);
  EXPECT_EQ(norms_of(small_gpt2(), nlohmann::json::object()), (2 * 2 + 1) * 2 * 24);        // one behind the last layer
  EXPECT_EQ(norms_of(small_t5(), nlohmann::json::object()), (2 * 2 + 1 + 2 * 3 + 1) * 24);  // gains only
}

TEST(LayerNorm, TrainsTheNormsThatAreNamed) {
  EXPECT_EQ(norms_of(small_bert(), {{"target_modules", {"output.LayerNorm"}}}), 2 * 2 * 2 * 24);
  EXPECT_EQ(norms_of(small_bert(), {{"target_modules", {"attention.output.LayerNorm"}}}), 2 * 2 * 24);
  EXPECT_EQ(norms_of(small_bert(), {{"target_modules", ".*layer\\.1\\.output\\.LayerNorm"}}), 2 * 24);
  EXPECT_EQ(norms_of(small_bert(), {{"target_modules", {"LayerNorm"}}, {"exclude_modules", ".*layer.*"}}), 2 * 24);
  EXPECT_EQ(norms_of(small_bert(), {{"exclude_modules", {"output.LayerNorm"}}}), 2 * 24);
  try {
    attach(delta_method("layernorm"), small_bert(), {{"target_modules", {"layernorm"}}});
    FAIL() << "a target that matches nothing was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::user);
    EXPECT_NE(std::string(error.what()).find("'LayerNorm'"), std::string::npos) << error.what();
  }
}

TEST(LayerNorm, NamesTheNearestOption) {
  try {
    attach(delta_method("layernorm"), small_bert(), {{"embedding", false}});
    FAIL() << "an unknown option was accepted";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("'embeddings'"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace tsrun::layernorm
