#include "core_basis.h"

#include "tsrun/plugin_testing/subspace.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <gtest/gtest.h>

#include "support/errors.h"

namespace tsrun::gradient_svd {
namespace {

using namespace plugin_testing;

const bool cases =
    add_subspace_case("gradient_svd", {{"batches", 5}, {"row_batch", 4}}) &&
    add_subspace_case("gradient_svd", {{"batches", 5}, {"row_batch", 4}, {"dim", 2}}) &&
    add_subspace_case("gradient_svd", {{"variant", "one_step"}, {"rank", 3}}) &&
    add_subspace_case("gradient_svd", {{"variant", "one_step"}, {"rank", 2}, {"sign", false}, {"start", "step"}, {"step", 0.1}});

const SubspaceMethod& method() { return subspace_method("gradient_svd"); }

at::Tensor rows_of(const SmallInputs& small, int64_t first, int64_t count, uint64_t seed = 1) {
  const auto order = permutation(Key::root(seed).split("rows"), small.probe().rows());
  at::Tensor sum = at::zeros({small.parameters().layout.total()}, at::kFloat);
  for (int64_t i = first; i < first + count; ++i) sum.add_(small.probe().slope(order[static_cast<size_t>(i)]));
  return sum / count;
}

at::Tensor first_group(const SmallInputs& small, const at::Tensor& flat) { return flat.slice(-1, 0, small.parameters().groups[0].end); }

TEST(GradientSvd, SpansTheGradientsOfItsBatches_ByAFloat64Svd) {
  const SmallInputs small;
  const auto basis = discover(method(), small, {{"batches", 5}, {"row_batch", 4}, {"dim", 3}});
  std::vector<at::Tensor> gradients;
  for (int64_t b = 0; b < 5; ++b) gradients.push_back(first_group(small, rows_of(small, 4 * b, 4)));
  const auto [u, s, vh] = at::linalg_svd(at::stack(gradients).to(at::kDouble), false);
  const at::Tensor v = first_group(small, materialise(*basis).slice(0, 0, 3)).to(at::kDouble);
  EXPECT_GT(v.matmul(vh.slice(0, 0, 3).t()).diagonal().abs().min().item<double>(), 1 - 1e-5);
  const auto values = basis->facts().groups[0].singular_values;
  ASSERT_EQ(values.size(), 5u);
  for (int64_t k = 0; k < 5; ++k) EXPECT_NEAR(values[static_cast<size_t>(k)] / s[k].item<double>(), 1, 1e-5);
}

TEST(GradientSvd, TakesTheFrameOfTheFirstStepsSigns) {
  const SmallInputs small;
  const auto basis = discover(method(), small, {{"variant", "one_step"}, {"rank", 3}, {"batches", 2}, {"row_batch", 5}});
  EXPECT_EQ(basis->dims(), (std::vector<int64_t>{9, 9}));  // of one matrix each
  const Slice& slice = *small.parameters().layout.find("encoder.layer.0.dense.weight");
  const at::Tensor step = rows_of(small, 0, 10).sign().slice(0, slice.offset, slice.offset + slice.size).view(slice.shape).to(at::kDouble);
  const auto [u, s, vh] = at::linalg_svd(step, false);
  const at::Tensor v = materialise(*basis).slice(0, 0, 9).slice(1, slice.offset, slice.offset + slice.size).to(at::kDouble);
  for (int64_t k = 0; k < 3; ++k) {  // coordinate (k, k) is the k-th pair of singular vectors
    const at::Tensor pair = at::outer(u.select(1, k), vh[k]).flatten();
    EXPECT_NEAR(v[4 * k].dot(pair).item<double>(), 1, 1e-4) << k;
  }
}

TEST(GradientSvd, BeginsBehindTheStep_WhenAsked) {
  const SmallInputs small;
  const auto basis = discover(method(), small,
                              {{"variant", "one_step"}, {"rank", 47}, {"start", "step"}, {"step", 0.25}, {"batches", 1}, {"row_batch", 9}});
  at::Tensor out = at::zeros({small.parameters().layout.total()}, at::kFloat);
  basis->expand(at::zeros({basis->dim()}, at::kFloat), out);
  const Slice& slice = *small.parameters().layout.find("encoder.layer.1.dense.weight");
  const auto of = [&](const at::Tensor& flat) { return flat.slice(0, slice.offset, slice.offset + slice.size); };
  EXPECT_TRUE(at::allclose(of(out), -0.25 * of(rows_of(small, 0, 9)).sign(), 1e-3, 1e-3));  // all 47 directions: the step itself
}

TEST(GradientSvd, KeepsAFrameOrthonormal_WhereAMatrixHasLessRank) {
  const at::Tensor matrix = at::outer(at::arange(1, 6, at::kFloat), at::arange(1, 8, at::kFloat));
  for (const at::Tensor& gradient : {matrix, matrix.t().contiguous(), at::zeros_like(matrix)}) {
    const gradient_svd::Frame frame = gradient_svd::leading_frame("dense", gradient, 3);
    for (const at::Tensor& side : {frame.u, frame.v}) EXPECT_TRUE(at::allclose(side.t().matmul(side), at::eye(3), 1e-5, 1e-5)) << side;
    EXPECT_TRUE(at::allclose(frame.u.matmul(at::diag(frame.values)).matmul(frame.v.t()), gradient, 1e-4, 1e-4));
  }
}

TEST(GradientSvd, RefusesMoreDirectionsThanBatches_AndInputsWithoutATask) {
  const SmallInputs small;
  try {
    discover(method(), small, {{"dim", 5}, {"batches", 4}, {"row_batch", 4}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("dim is 5, but 4 batches"), std::string::npos) << error.what();
  }
  SubspaceInputs inputs = small.inputs();
  inputs.probe = nullptr;
  EXPECT_THROW(method().discover(inputs, method().options().resolve(nlohmann::json::object(), "here")), Error);
}

TEST(GradientSvd, RefusesOptionsOfTheOtherVariant) {
  const SmallInputs small;
  const std::vector<std::pair<nlohmann::json, std::string>> refused = {
      {{{"rank", 3}}, "'rank'"},
      {{{"sign", false}}, "'sign'"},
      {{{"start", "step"}}, "'start'"},
      {{{"step", 0.1}}, "'step'"},
      {{{"variant", "one_step"}, {"dim", 8}}, "'dim'"},
      {{{"variant", "one_step"}, {"drop_ratio", 0.1}}, "'drop_ratio'"},
      {{{"variant", "one_step"}, {"step", 0.1}}, "'step'"},
  };
  for (const auto& [options, said] : refused)
    EXPECT_THAT(testing::message_of(ErrorKind::user, [&, &options = options] { discover(method(), small, options); }),
                ::testing::HasSubstr("gradient_svd: nothing reads option " + said));
  EXPECT_NO_THROW(discover(method(), small, {{"variant", "one_step"}, {"drop_ratio", 1e-6}, {"step", 5e-5}}));  // the defaults
}

}  // namespace
}  // namespace tsrun::gradient_svd
