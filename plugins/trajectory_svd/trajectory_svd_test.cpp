#include "tsrun/plugin_testing/subspace.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tsrun::trajectory_svd {
namespace {

using namespace plugin_testing;

const bool cases = [] {
  for (const char* variant : {"raw", "raw+origin", "centred", "delta", "increment"})
    for (const char* form : {"factored", "dense"}) add_subspace_case("trajectory_svd", {{"variant", variant}, {"form", form}});
  return add_subspace_case("trajectory_svd", {{"variant", "delta"}, {"dim", 2}});
}();

const SubspaceMethod& method() { return subspace_method("trajectory_svd"); }

/// The trajectory's points (origin first) as float64 rows.
at::Tensor points(const SmallInputs& small) {
  const Rows rows = small.trajectory().differences();
  std::vector<at::Tensor> all = {small.origin().to(at::kDouble)};
  for (const void* row : rows.data)
    all.push_back(small.origin().to(at::kDouble) + at::from_blob(const_cast<void*>(row), {rows.columns}, at::kFloat).to(at::kDouble));
  return at::stack(all);
}

at::Tensor matrix_of(const std::string& variant, const at::Tensor& theta) {
  const at::Tensor rest = theta.slice(0, 1);
  if (variant == "raw") return rest;
  if (variant == "raw+origin") return theta;
  if (variant == "centred") return rest - rest.mean(0, true);
  if (variant == "delta") return rest - theta[0];
  return rest - theta.slice(0, 0, -1);
}

class Variants : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(All, Variants, ::testing::Values("raw", "raw+origin", "centred", "delta", "increment"), [](const auto& info) {
  return std::string(info.param) == "raw+origin" ? "raw_and_origin" : std::string(info.param);
});

TEST_P(Variants, SingularValuesAndSpan_EqualAFloat64Svd) {
  const SmallInputs small;
  const auto basis = discover(method(), small, {{"variant", GetParam()}});
  const at::Tensor theta = points(small), v = materialise(*basis).to(at::kDouble);
  const auto offsets = coordinate_offsets(basis->dims());
  for (size_t g = 0; g < basis->dims().size(); ++g) {
    const Group& group = small.parameters().groups[g];
    const auto [u, s, vh] = at::linalg_svd(matrix_of(GetParam(), theta).slice(1, group.begin, group.end), false);
    const auto values = basis->describe()["groups"][g]["singular_values"].get<std::vector<double>>();
    const int64_t kept = basis->dims()[g];
    EXPECT_EQ(kept, std::string(GetParam()) == "centred" ? 5 : s.numel());
    for (int64_t k = 0; k < kept; ++k) EXPECT_NEAR(values[static_cast<size_t>(k)] / s[k].item<double>(), 1, 1e-6) << k;
    const at::Tensor mine = v.slice(0, offsets[g], offsets[g + 1]).slice(1, group.begin, group.end);
    const at::Tensor cosines = mine.matmul(vh.slice(0, 0, kept).t()).diagonal().abs();
    EXPECT_GT(cosines.min().item<double>(), 1 - 1e-5);
  }
}

TEST(TrajectorySvd, DenseAndFactoredAreTheSameMap) {
  const SmallInputs small;
  for (const char* variant : {"raw", "delta"}) {
    const auto factored = discover(method(), small, {{"variant", variant}}),
               dense = discover(method(), small, {{"variant", variant}, {"form", "dense"}});
    EXPECT_TRUE(at::allclose(materialise(*factored), materialise(*dense), 0, 2e-6)) << variant;
  }
}

TEST(TrajectorySvd, ReportsWhatTheBasisHolds) {
  const SmallInputs small;
  const auto group = [&](const char* variant) { return discover(method(), small, {{"variant", variant}})->describe()["groups"][0]; };
  EXPECT_GT(group("raw")["cos_origin"], 0.99);
  EXPECT_LT(group("delta")["cos_origin"], 0.2);
  EXPECT_LT(group("raw")["update_share"], 0.9999);
  for (const char* complete : {"raw+origin", "delta", "increment"})
    EXPECT_NEAR(group(complete)["update_share"].get<double>(), 1, 1e-6) << complete;
  EXPECT_EQ(group("centred")["dropped"], 1);
  EXPECT_NEAR(group("delta")["energy"].back().get<double>(), 1, 1e-12);
}

TEST(TrajectorySvd, KeepsDirectionsThatAFloat32GramLoses) {
  const SmallInputs small(24);
  const auto basis = discover(method(), small, {{"variant", "raw"}});
  const nlohmann::json group = basis->describe()["groups"][0];
  EXPECT_EQ(group["rank"], 24);
  EXPECT_LT(group["rank_float32"], 24);
  // what a Gram matrix in float32 really gives
  const at::Tensor w = points(small).slice(0, 1).slice(1, 0, small.parameters().groups[0].end).to(at::kFloat);
  const at::Tensor eigenvalues = at::linalg_eigvalsh(w.matmul(w.t()));
  const double smallest = group["singular_values"].back().get<double>();
  EXPECT_GT(std::abs(eigenvalues[0].item<double>() / (smallest * smallest) - 1), 0.1);
}

TEST(TrajectorySvd, ReadsBfloat16Trajectories) {
  const SmallInputs small(6, RowType::bfloat16);
  for (const char* variant : {"raw", "delta"}) {
    const at::Tensor v = materialise(*discover(method(), small, {{"variant", variant}})).to(at::kDouble);
    EXPECT_LT((v.matmul(v.t()) - at::eye(v.size(0), at::kDouble)).abs().max().item<double>(), 1e-5) << variant;
    EXPECT_TRUE(
        at::allclose(v.to(at::kFloat), materialise(*discover(method(), small, {{"variant", variant}, {"form", "dense"}})), 0, 2e-6));
  }
}

TEST(TrajectorySvd, RefusesADimensionLargerThanTheTrajectory_WithBothNumbers) {
  const SmallInputs small;
  try {
    discover(method(), small, {{"dim", 7}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::user);
    EXPECT_NE(std::string(error.what()).find("dim is 7"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("6 points"), std::string::npos);
  }
  EXPECT_EQ(discover(method(), small, {{"dim", 7}, {"variant", "raw+origin"}})->dims()[0], 7);
}

TEST(TrajectorySvd, RefusesAForeignTrajectory) {
  const SmallInputs small;
  SubspaceInputs inputs = small.inputs();
  inputs.parameters.layout = Layout().add("other", {small.parameters().layout.total()});
  EXPECT_THROW(method().discover(inputs, method().options().resolve(nlohmann::json::object(), "here")), Error);
  inputs.trajectory = nullptr;
  EXPECT_THROW(method().discover(inputs, method().options().resolve(nlohmann::json::object(), "here")), Error);
}

TEST(TrajectorySvd, AGroupThatNeverMovedHasNoDirections) {
  SmallInputs small;
  const auto folder = small.folder("still");
  TrajectoryWriter writer(folder, small.parameters().layout, small.origin(), RowType::float32);
  at::Tensor moved = small.origin().clone();
  moved.narrow(0, 0, small.parameters().groups[0].end).add_(0.5);
  writer.append({1, 1}, moved);
  const Trajectory trajectory = Trajectory::open(folder);
  SubspaceInputs inputs = small.inputs();
  inputs.trajectory = &trajectory;
  const auto basis = method().discover(inputs, method().options().resolve({{"variant", "delta"}}, "here"));
  EXPECT_EQ(basis->dims(), (std::vector<int64_t>{1, 0}));
  at::Tensor out = at::zeros({small.parameters().layout.total()}, at::kFloat);
  basis->expand(at::ones({1}, at::kFloat), out);
  EXPECT_NEAR(out.norm().item<double>(), 1, 1e-5);
  const auto saved = small.folder("saved");
  save_subspace(*basis, method(), method().options().resolve({{"variant", "delta"}}, "here"), saved);
  EXPECT_EQ(method().load(saved, small.parameters())->dims(), basis->dims());
}

}  // namespace
}  // namespace tsrun::trajectory_svd
