#include "tsrun/plugin_testing/subspace.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/base/parallel.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tsrun::sparse {
namespace {

using namespace plugin_testing;

const bool cases = add_subspace_case("sparse", {{"dim", 1}}) && add_subspace_case("sparse", {{"dim", 300}}) &&
                   add_subspace_case("sparse", {{"dim", 5}, {"density", 1}});

const SubspaceMethod& method() { return subspace_method("sparse"); }

/// One group of `size` parameters.
std::unique_ptr<Subspace> over(int64_t size, const nlohmann::json& options, uint64_t seed = 1) {
  SubspaceInputs inputs;
  inputs.key = Key::root(seed);
  inputs.parameters.layout.add("weight", {size});
  inputs.parameters.groups = {{"whole", 0, size}};
  return method().discover(inputs, method().options().resolve(options, "here"));
}

TEST(Sparse, HasColumnsOfLengthOne_WithEntriesOfOneSize) {
  const at::Tensor v = materialise(*over(10000, {{"dim", 20}}));
  EXPECT_LT((v.norm(2, 1) - 1).abs().max().item<double>(), 1e-5);
  for (const at::Tensor& column : v.unbind()) {
    const at::Tensor entries = column.abs().masked_select(column != 0);
    EXPECT_LT((entries - 1 / std::sqrt(static_cast<double>(entries.numel()))).abs().max().item<double>(), 1e-6);
  }
}

TEST(Sparse, MovesOneParameterInTheRootOfAll_BothWaysAndEverywhere) {
  const at::Tensor v = materialise(*over(10000, {{"dim", 200}}));
  const double entries = (v != 0).sum().item<double>();
  EXPECT_NEAR(entries / (200 * 100), 1, 0.03);  // four deviations
  EXPECT_NEAR((v > 0).sum().item<double>() / entries, 0.5, 0.02);
  const at::Tensor by_place = (v != 0).sum(0).to(at::kDouble).view({10, 1000}).sum(1) / (entries / 10);
  EXPECT_LT((by_place - 1).abs().max().item<double>(), 0.1);
}

TEST(Sparse, MovesEveryParameter_AtDensityOne) {
  EXPECT_EQ((materialise(*over(500, {{"dim", 3}, {"density", 1}})) != 0).sum().item<int64_t>(), 1500);
}

TEST(Sparse, LeavesNoCoordinateWithoutAParameter) {
  const at::Tensor v = materialise(*over(50, {{"dim", 50}, {"density", 0.001}}));
  EXPECT_GE((v != 0).sum(1).min().item<int64_t>(), 1);
}

TEST(Sparse, HasTheFirstColumnsOfALargerDimension) {
  EXPECT_TRUE(at::equal(materialise(*over(3000, {{"dim", 4}})), materialise(*over(3000, {{"dim", 9}})).slice(0, 0, 4)));
}

TEST(Sparse, GivesTheSameBits_WithAnyNumberOfThreads) {
  const int before = threads();
  std::vector<at::Tensor> found;
  for (const int count : {1, 3}) {
    set_threads(count);
    const auto basis = over(300000, {{"dim", 30}});
    at::Tensor out = at::zeros({300000}, at::kFloat);
    basis->expand(at::ones({30}, at::kFloat), out);
    found.push_back(at::cat({out, basis->project({}, out)}));
  }
  set_threads(before);
  EXPECT_TRUE(at::equal(found[0], found[1]));
}

TEST(Sparse, RefusesMoreCoordinatesThanParameters) { EXPECT_THROW(over(10, {{"dim", 11}}), Error); }

}  // namespace
}  // namespace tsrun::sparse
