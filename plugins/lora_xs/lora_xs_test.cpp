#include "tsrun/plugin_testing/delta.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <gtest/gtest.h>

#include <c10/core/GradMode.h>

namespace tsrun::lora_xs {
namespace {

using namespace plugin_testing;

const bool cases =
    add_delta_case("lora_xs", nlohmann::json::object()) &&
    add_delta_case("lora_xs", {{"r", 3}, {"alpha", 6}, {"init_deviation", 0}, {"dropout", 0.2}, {"target_modules", "all-linear"}});

TEST(LoraXs, CountsAsByHand) {
  int64_t numbers = 0;
  for (const DeltaMatch& match : attach(delta_method("lora_xs"), small_bert(), {{"r", 5}}).delta->matches()) numbers += match.numbers;
  EXPECT_EQ(numbers, 2 * 2 * 5 * 5);
}

TEST(LoraXs, AddsUTimesRTimesTheWeightsOwnPart) {
  const c10::NoGradGuard guard;
  const std::string map = "transformer.h.1.attn.c_attn";  // stores [inputs, outputs]
  const Attached attached = attach(delta_method("lora_xs"), small_gpt2(), {{"r", 4}, {"alpha", 2}, {"target_modules", {map}}});
  Weights weights = attached.first;
  const at::Tensor unit = at::eye(4);
  weights.set(map + ".lora_xs_R", unit);
  const at::Tensor weight = weights.at(map + ".weight").to(at::kDouble);
  const auto [u, s, v] = at::linalg_svd(weight, false);
  const at::Tensor best = at::matmul(u.narrow(1, 0, 4) * s.narrow(0, 0, 4), v.narrow(0, 0, 4));
  const at::Tensor update = attached.delta->merge(weights)->at(map + ".weight").to(at::kDouble) - weight;
  EXPECT_TRUE(at::allclose(update, best * 0.5, 1e-4, 1e-5));
}

TEST(LoraXs, SaysHowManySingularValuesThereAre) {
  try {
    attach(delta_method("lora_xs"), small_bert(), {{"r", 25}});
    FAIL() << "25 singular values of 24 x 24 were accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::user);
    EXPECT_NE(std::string(error.what()).find("expected 1 to 24"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace tsrun::lora_xs
