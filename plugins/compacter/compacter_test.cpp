#include "tsrun/plugin_testing/delta.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <gtest/gtest.h>

#include <c10/core/GradMode.h>

#include <algorithm>

namespace tsrun::compacter {
namespace {

using namespace plugin_testing;

const bool cases =
    add_delta_case("compacter", {{"bottleneck", 8}}) &&
    add_delta_case("compacter", {{"bottleneck", 6}, {"hypercomplex_division", 2}, {"style", "pfeiffer"}, {"factorized", false}}) &&
    add_delta_case("compacter", {{"reduction_factor", 6}, {"rank", 2}, {"shared", false}, {"style", "parallel"}, {"init", "normal"}});

int64_t compacter_numbers(const SmallModel& model, const nlohmann::json& options) {
  const Attached attached = attach(delta_method("compacter"), model, options);
  int64_t numbers = 0;
  for (const DeltaMatch& match : attached.delta->matches()) numbers += match.numbers;
  return numbers;
}

TEST(Compacter, CountsAsByHand) {
  const int64_t biases = 24 + 8, factors = 2 * (24 + 8), rule = 4 * 4 * 4;
  EXPECT_EQ(compacter_numbers(small_bert(), {{"bottleneck", 8}}), rule + 2 * 2 * (factors + biases));
  EXPECT_EQ(compacter_numbers(small_bert(), {{"bottleneck", 8}, {"style", "pfeiffer"}}), rule + 2 * (factors + biases));
  EXPECT_EQ(compacter_numbers(small_bert(), {{"bottleneck", 8}, {"rank", 3}, {"biases", false}}), rule + 2 * 2 * 3 * factors);
  EXPECT_EQ(compacter_numbers(small_bert(), {{"bottleneck", 8}, {"shared", false}}), 2 * 2 * (factors + biases + 2 * rule));
  EXPECT_EQ(compacter_numbers(small_bert(), {{"bottleneck", 8}, {"factorized", false}}),
            rule + 2 * 2 * (2 * 4 * (24 / 4) * (8 / 4) + biases));
  EXPECT_EQ(compacter_numbers(small_t5(), {{"reduction_factor", 3}}), rule + 2 * (2 + 3) * (factors + biases));
}

/// The network behind BERT's first feed-forward block, made of Kronecker products one by one.
TEST(Compacter, AddsTheSumOfKroneckerProducts) {
  const c10::NoGradGuard guard;
  const Attached attached = attach(delta_method("compacter"), small_bert(), {{"bottleneck", 8}, {"rank", 2}});
  const Site out = *std::find_if(attached.family->sites().begin(), attached.family->sites().end(),
                                 [](const Site& site) { return site.kind == SiteKind::feed_forward_out; });
  const auto tensor = [&](const std::string& name) { return attached.random.at(out.module + ".compacter." + name); };
  const auto map = [&](const std::string& name) {
    at::Tensor sum;
    for (int64_t i = 0; i < 4; ++i) {
      const at::Tensor b = at::matmul(tensor(name + ".left")[i], tensor(name + ".right")[i]);
      const at::Tensor term = at::kron(attached.random.at("compacter.rule")[i], b);
      sum = sum.defined() ? sum + term : term;
    }
    return sum;
  };
  ForwardOptions forward;
  attached.delta->install(attached.random, forward);
  const at::Tensor x = at::arange(48, at::kFloat).view({2, 24}).sin();
  const at::Tensor inside = at::gelu(at::matmul(x, map("down").t()) + tensor("down.bias"));
  EXPECT_TRUE(at::allclose(forward.at_site.front()(out, x), x + at::matmul(inside, map("up").t()) + tensor("up.bias"), 1e-5, 1e-5));
}

TEST(Compacter, RoundsTheWidthBetweenToWhatTheDivisionAllows) {
  const int64_t biases = 24 + 4, factors = 2 * (24 + 4), rule = 4 * 4 * 4;
  for (const double reduction : {32.0, 7.0, 5.0})
    EXPECT_EQ(compacter_numbers(small_bert(), {{"reduction_factor", reduction}}), rule + 2 * 2 * (factors + biases)) << reduction;
}

TEST(Compacter, SaysWhatADivisionMustDivide) {
  try {
    attach(delta_method("compacter"), small_bert(), {{"bottleneck", 6}});
    FAIL() << "a bottleneck of 6 in 4 parts was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::user);
    EXPECT_NE(std::string(error.what()).find("hypercomplex_division 4 must divide the width 24"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace tsrun::compacter
