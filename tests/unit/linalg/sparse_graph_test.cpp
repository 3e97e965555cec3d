#include "tsrun/linalg/sparse_graph.h"

#include "support/errors.h"
#include "tsrun/base/error.h"

#include <gtest/gtest.h>

namespace tsrun {
namespace {

TEST(SparseGraph, JoinsEitherDirection_WithTheLargestWeight) {
  const SparseGraph graph = symmetric_graph(4, {{2, 0, 1}, {0, 2, 3}, {1, 1, 9}, {2, 3, 0.5F}, {2, 3, 0.25F}});
  EXPECT_EQ(graph.begin, (std::vector<int64_t>{0, 1, 1, 3, 4}));
  EXPECT_EQ(graph.to, (std::vector<int64_t>{2, 0, 3, 2}));
  EXPECT_EQ(graph.weight, (std::vector<float>{3, 3, 0.5F, 0.5F}));
  EXPECT_EQ(graph.degrees(), (std::vector<double>{3, 0, 3.5, 0.5}));
  EXPECT_EQ(graph.total(), 7);
  EXPECT_EQ(graph.nodes(), 4);
  EXPECT_THROW(symmetric_graph(2, {{0, 2, 1}}), Error);
}

/// y = (2, 6), (4, 0): 3 · ‖(−2, 6)‖² = 120; ∂/∂x = 2 · scale · L y, which is added.
TEST(SparseGraph, HasTheEnergyOfItsLaplacian) {
  const SparseGraph graph = symmetric_graph(2, {{0, 1, 3}});
  const std::vector<double> x = {1, 3, 4, 0}, scale = {2, 1};
  std::vector<double> gradient = {1, 2, 3, 4};
  EXPECT_EQ(laplacian_energy(graph, x.data(), 2, scale.data(), nullptr, 0.5, gradient.data()), 120);
  EXPECT_EQ(gradient, (std::vector<double>{-11, 38, 9, -14}));
}

}  // namespace
}  // namespace tsrun
