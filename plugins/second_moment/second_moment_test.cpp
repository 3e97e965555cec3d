#include "support/finite_differences.h"
#include "tsrun/plugin_testing/step_plugins.h"

#include "method.h"
#include "tsrun/base/operators.h"

#include <gtest/gtest.h>

namespace tsrun::second_moment {
namespace {

using namespace plugin_testing;

using second_moment::distance_to_isotropy;

const bool cases = add_regularizer_case("second_moment", nlohmann::json::object()) &&
                   add_regularizer_case("second_moment", {{"rows", "raw"}, {"centred", true}, {"min_count", 1}}) &&
                   add_regularizer_case("second_moment", {{"hidden_layer", 2}}, {.batch_statistic = true});

TEST(SecondMoment, IsZero_WhereDirectionsAreIsotropic) {
  const at::Tensor axes = at::eye(4, at::kDouble);
  const at::Tensor rows = at::cat({axes, -3 * axes, 2 * axes});
  EXPECT_NEAR(distance_to_isotropy(rows, true, false).item<double>(), 0, 1e-15);
  EXPECT_NEAR(distance_to_isotropy(at::cat({axes, -axes}), false, true).item<double>(), 0, 1e-15);
  EXPECT_GT(distance_to_isotropy(rows, false, false).item<double>(), 1);  // raw rows have norms too
}

/// The minimum of cosine regularisation that this term is there for; ‖uuᵀ − I/d‖² = 1 − 1/d.
TEST(SecondMoment, IsLargest_OnOneLine) {
  at::Tensor rows = drawn_numbers({1, 8}, 4).repeat({10, 1});
  rows.narrow(0, 0, 5).neg_();
  EXPECT_NEAR(distance_to_isotropy(rows, true, false).item<double>(), 1 - 1.0 / 8, 1e-14);
  EXPECT_NEAR(distance_to_isotropy(rows, true, true).item<double>(), 1 - 1.0 / 8, 1e-14);  // their mean is zero
  EXPECT_LT(distance_to_isotropy(drawn_numbers({200, 8}, 5), true, false).item<double>(), 0.02);
}

TEST(SecondMoment, ForgivesACommonOffset_WhenCentred) {
  const at::Tensor axes = at::eye(3, at::kDouble), rows = at::cat({axes, -axes}) + 5;
  EXPECT_NEAR(distance_to_isotropy(rows, false, true).item<double>(), 0, 1e-13);
  EXPECT_GT(distance_to_isotropy(rows, true, false).item<double>(), 0.5);
}

TEST(SecondMoment, HasTheGradientOfDifferences) {
  for (const bool unit : {true, false})
    for (const bool centred : {true, false})
      expect_gradient_of_differences([&](const at::Tensor& x) { return distance_to_isotropy(x, unit, centred); }, drawn_numbers({6, 4}, 2));
}

}  // namespace
}  // namespace tsrun::second_moment
