#include "tsrun/plugin_testing/delta.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <gtest/gtest.h>

#include "support/errors.h"

#include <c10/core/GradMode.h>

namespace tsrun::oft {
namespace {

using namespace plugin_testing;

const bool cases = add_delta_case("oft", {{"oft_block_size", 8}}) &&
                   add_delta_case("oft", {{"oft_block_size", 0}, {"r", 3}, {"use_cayley_neumann", false}, {"bias", "oft_only"}}) &&
                   add_delta_case("oft", {{"target_modules", "all-linear"}, {"oft_block_size", 6}, {"block_share", true}}) &&
                   add_delta_case("oft", {{"oft_block_size", 4}, {"coft", true}, {"eps", 0.3}, {"num_cayley_neumann_terms", 2}});

const std::string map = "bert.encoder.layer.1.attention.self.query";

int64_t oft_numbers(const nlohmann::json& options) {
  int64_t numbers = 0;
  for (const DeltaMatch& match : attach(delta_method("oft"), small_bert(), options).delta->matches()) numbers += match.numbers;
  return numbers;
}

TEST(Oft, CountsAsByHand) {
  EXPECT_EQ(oft_numbers({{"oft_block_size", 8}}), 2 * 2 * 3 * 28);
  EXPECT_EQ(oft_numbers({{"oft_block_size", 8}, {"block_share", true}}), 2 * 2 * 28);
  EXPECT_EQ(oft_numbers({{"oft_block_size", 0}, {"r", 2}}), 2 * 2 * 2 * 66);
  EXPECT_EQ(oft_numbers({{"oft_block_size", 32}}), 2 * 2 * 276);  // one block as wide as the layer
}

TEST(Oft, TakesTheNextDivisor_OfTwoTheSmaller) {
  EXPECT_EQ(oft_numbers({{"oft_block_size", 7}}), 2 * 2 * 4 * 15);   // of 24 inputs: 6 and 8 are as near
  EXPECT_EQ(oft_numbers({{"oft_block_size", 11}}), 2 * 2 * 2 * 66);  // 12
  EXPECT_EQ(oft_numbers({{"oft_block_size", 0}, {"r", 5}}), 2 * 2 * 4 * 15);
}

/// The merged weight W Rᵀ keeps every output's length, and the angles between outputs.
TEST(Oft, RotatesInputs_ByCayleysMap) {
  const c10::NoGradGuard guard;
  const Attached attached = attach(delta_method("oft"), small_bert(), {{"oft_block_size", 8}, {"use_cayley_neumann", false}});
  const at::Tensor w = attached.random.at(map + ".weight"), rotated = attached.delta->merge(attached.random)->at(map + ".weight");
  EXPECT_TRUE(at::allclose(at::matmul(rotated, rotated.t()), at::matmul(w, w.t()), 1e-4, 1e-6));
  const at::Tensor first = attached.random.at(map + ".oft_R.weight")[0];
  at::Tensor q = at::zeros({8, 8});
  int64_t next = 0;
  for (int64_t i = 0; i < 8; ++i)
    for (int64_t j = i + 1; j < 8; ++j, ++next) q[i][j] = first[next], q[j][i] = -first[next];
  const at::Tensor r = at::matmul(at::eye(8) - q, at::linalg_inv(at::eye(8) + q));
  EXPECT_TRUE(at::allclose(rotated.narrow(1, 0, 8), at::matmul(w.narrow(1, 0, 8), r.t()), 1e-4, 1e-6));
}

TEST(Oft, ShortensRotations_WithCoft) {
  const c10::NoGradGuard guard;
  const auto moved = [&](double eps) {
    const Attached attached =
        attach(delta_method("oft"), small_bert(), {{"oft_block_size", 8}, {"coft", true}, {"eps", eps}, {"use_cayley_neumann", false}});
    return (attached.delta->merge(attached.random)->at(map + ".weight") - attached.random.at(map + ".weight")).norm().item<double>();
  };
  EXPECT_NEAR(moved(1e-3) / moved(5e-4), 2, 1e-2);
  EXPECT_GT(moved(1e-3), 0);
}

TEST(Oft, RefusesSizesThatSayTooMuchOrTooLittle) {
  for (const nlohmann::json& options : {nlohmann::json{{"r", 2}}, {{"oft_block_size", 0}}, {{"coft", true}, {"eps", 0}}}) {
    try {
      attach(delta_method("oft"), small_bert(), options);
      FAIL() << options << " was accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::user);
      EXPECT_NE(std::string(error.what()).find("expected"), std::string::npos) << error.what();
    }
  }
}

TEST(Oft, RefusesOptionsThatNothingReads_AndReadsFoldersThatNameThem) {
  const std::vector<std::pair<nlohmann::json, std::string>> refused = {
      {{{"eps", 0.1}}, "'eps'"}, {{{"use_cayley_neumann", false}, {"num_cayley_neumann_terms", 7}}, "'num_cayley_neumann_terms'"}};
  for (const auto& [options, said] : refused)
    EXPECT_THAT(testing::message_of(ErrorKind::user, [&, &options = options] { attach(delta_method("oft"), small_bert(), options); }),
                ::testing::HasSubstr("oft: nothing reads option " + said));
  const DeltaMethod& method = delta_method("oft");
  for (const nlohmann::ordered_json& config :
       std::vector<nlohmann::ordered_json>{{{"coft", false}, {"eps", 0.1}},
                                           {{"use_cayley_neumann", false}, {"num_cayley_neumann_terms", 7}},
                                           {{"coft", true}, {"eps", 0.1}, {"num_cayley_neumann_terms", 7}}})
    EXPECT_NO_THROW(attach(method, small_bert(), method.options_from_peft(config))) << config;
}

}  // namespace
}  // namespace tsrun::oft
