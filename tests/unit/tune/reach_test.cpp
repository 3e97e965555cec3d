#include "tsrun/tune/reach.h"

#include "tsrun/base/operators.h"
#include "unit/tune/fakes.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tsrun {
namespace {

using testing_tune::FakeFamily;
using testing_tune::PlainSubspace;
using testing_tune::TemporaryFolder;

std::shared_ptr<PlainSubspace> four_dimensions(const FakeFamily& family) {
  return std::make_shared<PlainSubspace>(select_parameters(family, {}), 4);
}

at::Tensor update_at(const Subspace& subspace, const std::vector<float>& z) {
  at::Tensor update = at::zeros({subspace.parameters().layout.total()}, at::kFloat);
  subspace.expand(at::tensor(z), update);
  return update;
}

TEST(Reach, ReadsTheLargestCoordinateOfEachGroup) {
  const FakeFamily family;
  const auto subspace = four_dimensions(family);
  const auto largest = largest_coordinates(*subspace, update_at(*subspace, {0.1F, 0, -0.4F, 0, 3, 1, 0, 0}));
  ASSERT_EQ(largest.size(), 2U);
  EXPECT_NEAR(largest[0], 0.4, 1e-5);
  EXPECT_NEAR(largest[1], 3, 1e-4);
}

TEST(Reach, SpreadsALengthEvenly_OverOrthonormalColumns) {
  const FakeFamily family;
  const auto subspace = four_dimensions(family);
  const auto lengths = group_lengths(subspace->parameters(), update_at(*subspace, {0, 3, 4, 0, 0, 0, 0, 1}));
  EXPECT_NEAR(lengths[0], 5, 1e-4);
  EXPECT_NEAR(lengths[1], 1, 1e-5);
  const auto spread = spread_coordinates(*subspace, lengths);
  EXPECT_NEAR(spread[0], 5 / std::sqrt(4.0), 1e-4);
  EXPECT_NEAR(spread[1], 1 / std::sqrt(4.0), 1e-5);
}

TEST(Reach, TakesTheLastPointOfATrajectory) {
  const FakeFamily family;
  const TemporaryFolder folder;
  const auto subspace = four_dimensions(family);
  const at::Tensor origin = flatten(family.weights(), subspace->parameters().layout);
  TrajectoryWriter writer(folder / "t", subspace->parameters().layout, origin, RowType::float32);
  const at::Tensor near = update_at(*subspace, {1, 0, 0, 0, 0, 0, 0, 0}), far = update_at(*subspace, {0, 2, 0, 0, 0, 0, 0, 0});
  writer.append({1, 1}, origin + near);
  writer.append({2, 2}, origin + far);
  EXPECT_TRUE(at::allclose(last_update(Trajectory::open(folder / "t")), far, 1e-5, 1e-6));
}

}  // namespace
}  // namespace tsrun
