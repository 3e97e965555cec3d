#include "tsrun/plugin_testing/delta.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <gtest/gtest.h>

#include <c10/core/GradMode.h>

namespace tsrun::boft {
namespace {

using namespace plugin_testing;

const bool cases =
    add_delta_case("boft", nlohmann::json::object()) &&
    add_delta_case("boft", {{"boft_block_size", 2}, {"boft_n_butterfly_factor", 3}, {"bias", "boft_only"}}) &&
    add_delta_case("boft", {{"boft_block_size", 0}, {"boft_block_num", 4}, {"boft_n_butterfly_factor", 2}, {"boft_dropout", 0.5}});

const std::string map = "bert.encoder.layer.1.attention.self.query";

int64_t boft_numbers(const nlohmann::json& options) {
  int64_t numbers = 0;
  for (const DeltaMatch& match : attach(delta_method("boft"), small_bert(), options).delta->matches()) numbers += match.numbers;
  return numbers;
}

TEST(Boft, CountsAsByHand) {
  EXPECT_EQ(boft_numbers(nlohmann::json::object()), 2 * 2 * (6 * 16 + 24));
  EXPECT_EQ(boft_numbers({{"boft_n_butterfly_factor", 2}}), 2 * 2 * (2 * 6 * 16 + 24));
  EXPECT_EQ(boft_numbers({{"boft_block_size", 0}, {"boft_block_num", 3}}), 2 * 2 * (3 * 64 + 24));
}

/// Rows of the merged weight keep their lengths up to s, and angles between them stay.
TEST(Boft, RotatesInputs_AndScalesOutputs) {
  const c10::NoGradGuard guard;
  const Attached attached = attach(delta_method("boft"), small_bert(), {{"boft_n_butterfly_factor", 2}});
  const at::Tensor w = attached.random.at(map + ".weight") * attached.random.at(map + ".boft_s");
  const at::Tensor merged = attached.delta->merge(attached.random)->at(map + ".weight");
  EXPECT_TRUE(at::allclose(at::matmul(merged, merged.t()), at::matmul(w, w.t()), 1e-4, 1e-6));
}

/// One feature reaches those of its own block through one factor, and those of `reach` blocks through more.
TEST(Boft, MixesTwiceAsManyBlocksWithEveryFactor) {
  const c10::NoGradGuard guard;
  for (const int64_t factors : {1, 2, 3}) {
    Attached attached = attach(delta_method("boft"), small_bert(), {{"boft_block_size", 2}, {"boft_n_butterfly_factor", factors}});
    attached.random.set(map + ".weight", at::eye(24));
    const at::Tensor merged = attached.delta->merge(attached.random)->at(map + ".weight");
    EXPECT_EQ((merged.abs() > 1e-6).sum(1).max().item<int64_t>(), 2 << (factors - 1)) << factors;
  }
}

TEST(Boft, LeavesBlocksOutOfATrainingPass_AsItsKeySays) {
  const c10::NoGradGuard guard;
  const SmallModel model = small_bert();
  const Attached attached = attach(delta_method("boft"), model, {{"boft_dropout", 0.5}});
  const auto logits = [&](bool training, uint64_t seed) {
    ForwardOptions options;
    options.training = training;
    options.dropout = Key::root(seed);
    return attached.family->forward(attached.random, model.batch, options).logits;
  };
  EXPECT_TRUE(at::equal(logits(true, 1), logits(true, 1)));
  EXPECT_FALSE(at::allclose(logits(true, 1), logits(true, 2)));
  EXPECT_TRUE(at::equal(logits(false, 1), logits(false, 2)));
}

TEST(Boft, RefusesBlocksThatMakeNoButterfly) {
  for (const nlohmann::json& options : {nlohmann::json{{"boft_block_num", 2}},
                                        {{"boft_block_size", 5}},
                                        {{"boft_block_size", 3}, {"boft_n_butterfly_factor", 2}},
                                        {{"boft_block_size", 8}, {"boft_n_butterfly_factor", 2}}}) {
    try {
      attach(delta_method("boft"), small_bert(), options);
      FAIL() << options << " was accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::user);
      EXPECT_NE(std::string(error.what()).find("expected"), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace tsrun::boft
