#include "tsrun/plugin_testing/delta.h"

#include "tsrun/base/error.h"

#include <gtest/gtest.h>

namespace tsrun::ia3 {
namespace {

using namespace plugin_testing;

const bool cases = add_delta_case("ia3", nlohmann::json::object()) && add_delta_case("ia3", {{"target_modules", "all-linear"}}) &&
                   add_delta_case("ia3", {{"target_modules", {"key", "output.dense", "k", "wo", "c_fc"}},
                                          {"feedforward_modules", {"output.dense", "wo"}},
                                          {"modules_to_save", {"pooler"}}});

TEST(Ia3, CountsAsByHand) {
  const Attached attached = attach(delta_method("ia3"), small_bert());
  int64_t numbers = 0;
  for (const DeltaMatch& match : attached.delta->matches()) numbers += match.numbers;
  EXPECT_EQ(numbers, 2 * (24 + 24 + 40));  // keys, values, what enters the second map of the feed-forward block
}

TEST(Ia3, ReadsTextsAsExpressionsForWholeNames) {
  const Attached attached =
      attach(delta_method("ia3"), small_bert(),
             {{"target_modules", ".*layer\\.1\\.(.*self\\.key|output\\.dense)"}, {"feedforward_modules", ".*1\\.output\\.dense"}});
  const auto tensors = attached.delta->tensors();
  ASSERT_EQ(tensors.size(), 2U);
  EXPECT_EQ(tensors[0].shape, (std::vector<int64_t>{24, 1}));
  EXPECT_EQ(tensors[1].shape, (std::vector<int64_t>{1, 40}));
}

TEST(Ia3, NamesTheNearestTarget_WhenOneMatchesNothing) {
  try {
    attach(delta_method("ia3"), small_bert(), {{"feedforward_modules", {"feed_forward_outt"}}});
    FAIL() << "a target that matches nothing was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::user);
    EXPECT_NE(std::string(error.what()).find("'feed_forward_out'"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace tsrun::ia3
