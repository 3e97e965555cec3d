#include "tsrun/plugin_testing/delta.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <gtest/gtest.h>

#include <c10/core/GradMode.h>

namespace tsrun::vblora {
namespace {

using namespace plugin_testing;

const bool cases = add_delta_case("vblora", {{"vector_length", 8}, {"num_vectors", 12}}) &&
                   add_delta_case("vblora", {{"vector_length", 4},
                                             {"num_vectors", 6},
                                             {"r", 2},
                                             {"topk", 3},
                                             {"vblora_dropout", 0.2},
                                             {"bias", "all"},
                                             {"target_modules", {"value", "output.dense", "c_fc", "wo"}}});

TEST(VbLora, CountsAsByHand) {
  int64_t numbers = 0;
  const Attached attached = attach(delta_method("vblora"), small_bert(), {{"vector_length", 6}, {"num_vectors", 10}, {"r", 3}});
  for (const DeltaMatch& match : attached.delta->matches()) numbers += match.numbers;
  EXPECT_EQ(numbers, 10 * 6 + 2 * 2 * (3 * 4 * 10 + 4 * 3 * 10));
}

TEST(VbLora, PutsItsFactorsTogetherFromTheVectorsOfTheLargestLogits) {
  const c10::NoGradGuard guard;
  const std::string map = "bert.encoder.layer.0.attention.self.query";
  const Attached attached = attach(delta_method("vblora"), small_bert(),
                                   {{"vector_length", 12}, {"num_vectors", 3}, {"r", 1}, {"topk", 2}, {"target_modules", {map}}});
  Weights weights = attached.random;
  const at::Tensor bank = weights.at("vblora_vector_bank");
  const double far = -50, log3 = std::log(3.0);  // weights 3/4 and 1/4
  weights.set(map + ".vblora_logits_A", at::tensor({log3, 0.0, far, far, 0.0, log3}, at::kFloat).view({1, 2, 3}));
  weights.set(map + ".vblora_logits_B", at::tensor({0.0, far, log3, log3, far, 0.0}, at::kFloat).view({2, 1, 3}));
  const at::Tensor a = at::cat({0.75 * bank[0] + 0.25 * bank[1], 0.25 * bank[1] + 0.75 * bank[2]}).unsqueeze(0);
  const at::Tensor b = at::cat({0.25 * bank[0] + 0.75 * bank[2], 0.75 * bank[0] + 0.25 * bank[2]}).unsqueeze(1);
  const at::Tensor update = attached.delta->merge(weights)->at(map + ".weight") - weights.at(map + ".weight");
  EXPECT_TRUE(at::allclose(update, at::matmul(b, a), 1e-4, 1e-6));
}

TEST(VbLora, SaysWhatAVectorsLengthMustDivide) {
  try {
    attach(delta_method("vblora"), small_bert(), {{"vector_length", 5}});
    FAIL() << "24 in vectors of 5 was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::user);
    EXPECT_NE(std::string(error.what()).find("vector_length 5 must divide"), std::string::npos) << error.what();
  }
  EXPECT_THROW(attach(delta_method("vblora"), small_bert(), {{"vector_length", 6}, {"num_vectors", 2}, {"topk", 3}}), Error);
}

}  // namespace
}  // namespace tsrun::vblora
