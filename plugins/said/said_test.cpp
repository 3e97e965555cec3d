#include "tsrun/plugin_testing/subspace.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <gtest/gtest.h>

namespace tsrun::said {
namespace {

using namespace plugin_testing;

const bool cases = [] {
  for (const char* scales : {"tensor", "layer"})
    for (const char* transform : {"tensor", "group"}) add_subspace_case("said", {{"dim", 9}, {"scales", scales}, {"transform", transform}});
  return add_subspace_case("said", {{"dim", 70}, {"budget", "released"}, {"scaling", "released"}});
}();

const SubspaceMethod& method() { return subspace_method("said"); }

at::Tensor update_at(const Subspace& map, const at::Tensor& z) {
  at::Tensor out = at::zeros({map.parameters().layout.total()}, at::kFloat);
  map.expand(z, out);
  return out;
}

TEST(Said, TakesScalesOutOfTheBudget) {
  const SmallInputs small;
  for (const auto& [scales, budget, dim, count] :
       {std::tuple{"tensor", "paper", 9, 3}, {"tensor", "released", 8, 3}, {"layer", "paper", 9, 1}}) {
    const auto map = discover(method(), small, {{"dim", 9}, {"scales", scales}, {"budget", budget}});
    EXPECT_EQ(map->dims(), (std::vector<int64_t>{dim, dim}));
    EXPECT_EQ(map->describe()["groups"][0]["scales"], count);
  }
}

TEST(Said, ScalesEachTensorsUpdateByItsOwnNumber) {
  const SmallInputs small;
  const auto map = discover(method(), small, {{"dim", 9}});  // six coordinates, then three scales
  at::Tensor z = at::zeros({18}, at::kFloat);
  z.slice(0, 0, 6).fill_(0.5);
  const at::Tensor plain = update_at(*map, z);
  z[7] = 0.25;  // of the bias
  const at::Tensor scaled = update_at(*map, z);
  for (const Slice& slice : small.parameters().layout.slices()) {
    const double factor = slice.name == "encoder.layer.0.dense.bias" ? 1.25 : 1;
    const auto of = [&](const at::Tensor& t) { return t.slice(0, slice.offset, slice.offset + slice.size); };
    EXPECT_TRUE(at::allclose(of(scaled), of(plain) * factor, 1e-5, 1e-7)) << slice.name;
  }
}

TEST(Said, IsThatOfFastfood_WhileScalesAreOne) {
  const SmallInputs small;
  const auto map = discover(method(), small, {{"dim", 9}});
  const at::Tensor z = at::zeros({18}, at::kFloat), g = at::ones({small.parameters().layout.total()}, at::kFloat);
  EXPECT_EQ(update_at(*map, z).abs().max().item<float>(), 0);
  const at::Tensor gradient = map->project(z, g);
  EXPECT_GT(gradient.slice(0, 0, 6).abs().min().item<float>(), 0);
  EXPECT_EQ(gradient.slice(0, 6, 9).abs().max().item<float>(), 0);  // scales of nothing
}

TEST(Said, GivesOneScaleALayer_InAGlobalGroup) {
  const SmallInputs small;
  SubspaceInputs inputs = small.inputs();
  inputs.parameters.groups = {{"encoder", 0, inputs.parameters.layout.total()}};
  const auto map = method().discover(inputs, method().options().resolve({{"dim", 9}, {"scales", "layer"}}, "here"));
  EXPECT_EQ(map->describe()["groups"][0]["scales"], 2);
}

TEST(Said, RefusesABudgetThatScalesUseUp_WithTheLeastThatDoes) {
  const SmallInputs small;
  try {
    discover(method(), small, {{"dim", 3}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::user);
    EXPECT_NE(std::string(error.what()).find("dim is 3"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("at least 4"), std::string::npos);
  }
}

}  // namespace
}  // namespace tsrun::said
