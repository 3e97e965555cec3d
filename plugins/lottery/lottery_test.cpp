#include "tsrun/plugin_testing/subspace.h"

#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/base/operators.h"

#include <gtest/gtest.h>

#include "support/errors.h"

namespace tsrun::lottery {
namespace {

using namespace plugin_testing;

const bool cases = add_subspace_case("lottery", {{"dim", 3}}) && add_subspace_case("lottery", {{"dim", 2}, {"stride", 2}}) &&
                   add_subspace_case("lottery", {{"dim", 2}, {"burn_in", 3}}) &&
                   add_subspace_case("lottery", {{"dim", 4}, {"burn_in", 6}, {"directions", "random"}}) &&
                   add_subspace_case("lottery", {{"dim", 4}, {"directions", "random"}});

const SubspaceMethod& method() { return subspace_method("lottery"); }

/// θ_i − θ_0 of all points, the origin first, in the first group, float64.
at::Tensor points_of(const SmallInputs& small) {
  const Rows rows = small.trajectory().differences();
  std::vector<at::Tensor> all = {at::zeros({rows.columns}, at::kDouble)};
  for (const void* row : rows.data) all.push_back(at::from_blob(const_cast<void*>(row), {rows.columns}, at::kFloat).to(at::kDouble));
  return at::stack(all).slice(1, 0, small.parameters().groups[0].end);
}

at::Tensor start_of(const Subspace& basis) {
  at::Tensor out = at::zeros({basis.parameters().layout.total()}, at::kFloat);
  basis.expand(at::zeros({basis.dim()}, at::kFloat), out);
  return out;
}

class Increments : public ::testing::TestWithParam<std::pair<int64_t, int64_t>> {};
INSTANTIATE_TEST_SUITE_P(Lottery, Increments, ::testing::Values(std::pair{1, 0}, std::pair{2, 0}, std::pair{1, 2}, std::pair{2, 2}));

TEST_P(Increments, GiveTheDirectionsOfAFloat64Svd_OfUnitLength) {
  const auto [stride, burn_in] = GetParam();
  const SmallInputs small;
  const auto basis = discover(method(), small, {{"dim", 2}, {"stride", stride}, {"burn_in", burn_in}});
  const at::Tensor taken = points_of(small).slice(0, burn_in, 7, stride);
  const auto [u, s, vh] = at::linalg_svd(taken.slice(0, 1) - taken.slice(0, 0, -1), false);
  const at::Tensor v = materialise(*basis).slice(0, 0, 2).slice(1, 0, taken.size(1)).to(at::kDouble);
  EXPECT_LT((v.norm(2, 1) - 1).abs().max().item<double>(), 1e-5);
  EXPECT_GT(v.matmul(vh.slice(0, 0, 2).t()).diagonal().abs().min().item<double>(), 1 - 1e-5);
  EXPECT_NEAR(basis->facts().groups[0].update_length, (points_of(small)[6] - points_of(small)[burn_in]).norm().item<double>(), 1e-6);
}

TEST(Lottery, GoesThroughThePointOfItsBurnIn) {
  const SmallInputs small;
  for (const char* directions : {"increments", "random"}) {
    const auto basis = discover(method(), small, {{"dim", 2}, {"burn_in", 3}, {"directions", directions}});
    const at::Tensor start = start_of(*basis).slice(0, 0, small.parameters().groups[0].end).to(at::kDouble);
    EXPECT_TRUE(at::allclose(start, points_of(small)[3], 0, 1e-7)) << directions;
    EXPECT_FALSE(basis->linear());
  }
  EXPECT_TRUE(discover(method(), small, {{"dim", 2}})->linear());
}

TEST(Lottery, DrawsAnotherRandomBasis_UnderAnotherKey) {
  const SmallInputs small;
  const nlohmann::json options = {{"dim", 3}, {"directions", "random"}};
  const at::Tensor one = materialise(*discover(method(), small, options, 1)), other = materialise(*discover(method(), small, options, 2));
  EXPECT_LT(one.matmul(other.t()).abs().max().item<float>(), 0.2);
}

TEST(Lottery, ShipsOfRandomDirectionsTheirPointAlone) {
  const SmallInputs small;
  const int64_t total = small.parameters().layout.total();
  for (const int64_t burn_in : {0, 3}) {
    const auto basis = discover(method(), small, {{"dim", 3}, {"burn_in", burn_in}, {"directions", "random"}});
    EXPECT_EQ(basis->bytes_shipped(), burn_in > 0 ? 4 * total : 0);
    const auto folder = small.folder("saved" + std::to_string(burn_in));
    basis->save(folder);
    EXPECT_LT(std::filesystem::file_size(folder / "key.json"), 4000U);
    EXPECT_EQ(std::filesystem::exists(folder / "shift.safetensors"), burn_in > 0);
    EXPECT_FALSE(std::filesystem::exists(folder / "directions.safetensors"));
  }
  EXPECT_EQ(discover(method(), small, {{"dim", 3}, {"burn_in", 3}})->bytes_shipped(), (3 + 1) * 4 * total);
}

TEST(Lottery, RefusesToLoad_WhenTheKeyDrawsOtherNumbers) {
  const SmallInputs small;
  const auto folder = small.folder("saved");
  discover(method(), small, {{"dim", 3}, {"directions", "random"}})->save(folder);
  nlohmann::json index = read_json(folder / "key.json");
  index["digest"] = std::string(64, '0');
  write_durable(folder / "key.json", index.dump());
  EXPECT_THROW(method().load(folder, small.parameters()), Error);
}

TEST(Lottery, RefusesMoreDirectionsThanIncrements_AndABurnInBehindTheEnd) {
  const SmallInputs small;
  for (const auto& [options, words] : std::vector<std::pair<nlohmann::json, std::string>>{
           {{{"dim", 4}, {"stride", 2}}, "give 3 increments"}, {{{"dim", 1}, {"burn_in", 6}}, "burn_in is 6, but the trajectory has 6"}}) {
    try {
      discover(method(), small, options);
      ADD_FAILURE() << words;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::user);
      EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
    }
  }
}

TEST(Lottery, RefusesWhatRandomDirectionsDoNotRead) {
  const SmallInputs small;
  for (const std::string name : {"stride", "drop_ratio"}) {
    const nlohmann::json options = {{"dim", 2}, {"directions", "random"}, {name, name == "stride" ? 2 : 0.1}};
    EXPECT_THAT(testing::message_of(ErrorKind::user, [&] { discover(method(), small, options); }),
                ::testing::HasSubstr("lottery: nothing reads option '" + name + "'"));
  }
}

}  // namespace
}  // namespace tsrun::lottery
