#include "tsrun/plugin_testing/subspace.h"

#include "lanczos.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <gtest/gtest.h>

namespace tsrun::hessian_top {
namespace {

using namespace plugin_testing;

const bool cases = add_subspace_case("hessian_top", {{"dim", 2}, {"steps", 8}}) &&
                   add_subspace_case("hessian_top", {{"dim", 3}, {"rows", 5}, {"row_batch", 2}, {"difference", 1e-2}});

const SubspaceMethod& method() { return subspace_method("hessian_top"); }

TEST(HessianTop, FindsTheEigenvectorsOfAKnownHessian_InEveryGroup) {
  const SmallInputs small;
  const auto basis = discover(method(), small, {{"dim", 3}, {"difference", 1e-2}});
  const at::Tensor v = materialise(*basis);
  for (size_t g = 0; g < 2; ++g) {
    const Group& group = small.parameters().groups[g];
    const auto first = static_cast<int64_t>(3 * g);
    const at::Tensor mine = v.slice(0, first, first + 3).slice(1, group.begin, group.end);
    const at::Tensor cosines = mine.matmul(small.probe().directions(g).slice(0, 0, 3).t()).diagonal().abs();
    EXPECT_GT(cosines.min().item<double>(), 0.999) << g;
    const auto values = basis->facts().groups[g].singular_values;
    ASSERT_EQ(values.size(), 3u);
    for (size_t k = 0; k < 3; ++k) EXPECT_NEAR(values[k], QuadraticProbe::eigenvalues[k], 0.01) << k;
  }
}

TEST(HessianTop, FindsTheLargestEigenvaluesOfAMatrix_NegativeOnesIncluded) {
  const at::Tensor drawn = at::arange(1, 37, at::kDouble).sin().view({6, 6}), matrix = drawn + drawn.t();
  const auto pairs = hessian_top::lanczos([&](const at::Tensor& x) { return matrix.mv(x); }, 6, 6, 6, Key::root(1));
  const at::Tensor values = std::get<0>(at::linalg_eigh(matrix)).flip(0);
  for (int64_t k = 0; k < 6; ++k) EXPECT_NEAR(pairs.values[static_cast<size_t>(k)], values[k].item<double>(), 1e-9);
  const at::Tensor v = pairs.vectors;
  EXPECT_LT((v.matmul(matrix).matmul(v.t()) - at::diag(values)).abs().max().item<double>(), 1e-9);
  EXPECT_LT(values[5].item<double>(), 0);
}

TEST(HessianTop, GoesOnWithOtherVectors_WhenTheMatrixAddsNone) {
  const auto pairs = hessian_top::lanczos([](const at::Tensor& x) { return 3 * x; }, 20, 5, 4, Key::root(1));
  for (const double value : pairs.values) EXPECT_NEAR(value, 3, 1e-12);
  EXPECT_LT((pairs.vectors.matmul(pairs.vectors.t()) - at::eye(4, at::kDouble)).abs().max().item<double>(), 1e-12);
}

TEST(HessianTop, RefusesFewerStepsThanEigenvectors) {
  const SmallInputs small;
  EXPECT_THROW(discover(method(), small, {{"dim", 5}, {"steps", 4}}), Error);
}

}  // namespace
}  // namespace tsrun::hessian_top
