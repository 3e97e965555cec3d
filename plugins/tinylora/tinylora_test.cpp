#include "tsrun/plugin_testing/delta.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <gtest/gtest.h>

#include "support/errors.h"

#include <c10/core/GradMode.h>

namespace tsrun::tinylora {
namespace {

using namespace plugin_testing;

const bool cases =
    add_delta_case("tinylora", nlohmann::json::object()) &&
    add_delta_case("tinylora", {{"weight_tying", 1}, {"u", 3}, {"target_modules", "all-linear"}}) &&
    add_delta_case(
        "tinylora",
        {{"r", 30}, {"u", 9}, {"weight_tying", 0.5}, {"init_weights", "uniform"}, {"tinylora_dropout", 0.2}, {"bias", "tinylora_only"}});

int64_t tinylora_numbers(const nlohmann::json& options) {
  int64_t numbers = 0;
  for (const DeltaMatch& match : attach(delta_method("tinylora"), small_bert(), options).delta->matches()) numbers += match.numbers;
  return numbers;
}

TEST(TinyLora, CountsAsByHand) {
  EXPECT_EQ(tinylora_numbers(nlohmann::json::object()), 2 * 2 * 64);
  EXPECT_EQ(tinylora_numbers({{"u", 13}, {"weight_tying", 1}}), 13);
  EXPECT_EQ(tinylora_numbers({{"u", 5}, {"weight_tying", 0.5}}), 2 * 5);
  EXPECT_EQ(tinylora_numbers({{"u", 5}, {"weight_tying", 0.625}}), 2 * 5);  // 1.5 groups: halves are rounded to even
}

TEST(TinyLora, MovesTheWeightWithinItsPrincipalPart) {
  const c10::NoGradGuard guard;
  const std::string map = "bert.encoder.layer.1.attention.self.value";
  const Attached attached = attach(delta_method("tinylora"), small_bert(), {{"r", 4}, {"u", 16}});
  const at::Tensor weight = attached.random.at(map + ".weight").to(at::kDouble);
  const at::Tensor update =
      (attached.delta->merge(attached.random)->at(map + ".weight") - attached.random.at(map + ".weight")).to(at::kDouble);
  const auto [u, s, v] = at::linalg_svd(weight, false);
  const at::Tensor left = u.narrow(1, 0, 4), right = v.narrow(0, 0, 4);
  EXPECT_GT(update.norm().item<double>(), 1e-3);
  EXPECT_TRUE(at::allclose(at::matmul(left, at::matmul(left.t(), at::matmul(update, at::matmul(right.t(), right)))), update, 1e-4, 1e-5));
  const at::Tensor a = attached.first.at(map + ".tinylora_A"), b = attached.first.at(map + ".tinylora_B");
  const at::Tensor best = at::matmul(left * s.narrow(0, 0, 4), right);  // with R = 1, B A is the weight's best approximation
  EXPECT_TRUE(at::allclose(at::matmul(b, a).to(at::kDouble), best, 1e-4, 1e-5));
}

TEST(TinyLora, RefusesTablesOfEmbeddings) {
  EXPECT_THROW(attach(delta_method("tinylora"), small_bert(), {{"target_modules", {"word_embeddings"}}}), Error);
}

TEST(TinyLora, RefusesOptionsThatNothingReads_AndReadsFoldersThatNameThem) {
  const std::vector<std::pair<nlohmann::json, std::string>> refused = {{{{"init_v_bound", 0.1}}, "'init_v_bound'"}};
  for (const auto& [options, said] : refused)
    EXPECT_THAT(testing::message_of(ErrorKind::user, [&, &options = options] { attach(delta_method("tinylora"), small_bert(), options); }),
                ::testing::HasSubstr("tinylora: nothing reads option " + said));
  const DeltaMethod& method = delta_method("tinylora");
  for (const nlohmann::ordered_json& config :
       std::vector<nlohmann::ordered_json>{{{"init_v_bound", 0.1}, {"init_weights", false}}, {{"init_v_bound", 0.02}}})
    EXPECT_NO_THROW(attach(method, small_bert(), method.options_from_peft(config))) << config;
}

}  // namespace
}  // namespace tsrun::tinylora
