#include "support/finite_differences.h"
#include "tsrun/plugin_testing/delta.h"
#include "tsrun/plugin_testing/step_plugins.h"

#include "method.h"
#include "tsrun/base/operators.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tsrun::isotropy {
namespace {

using namespace plugin_testing;

using namespace isotropy;  // NOLINT: of this plugin

const bool cases = add_regularizer_case("isotropy", nlohmann::json::object()) &&
                   add_regularizer_case("isotropy", {{"every", 3}, {"temperature", 0.1}, {"min_count", 1}}) &&
                   add_regularizer_case("isotropy", {{"hidden_layer", 0}}, {.batch_statistic = true});

/// −log of min Z / max Z by the definition.
double by_definition(const at::Tensor& rows, const at::Tensor& directions) {
  double least = HUGE_VAL, largest = 0;
  for (int64_t k = 0; k < directions.size(1); ++k) {
    for (const double sign : {1.0, -1.0}) {
      const double z = (at::mv(rows, directions.select(1, k)) * sign).exp().sum().item<double>();
      least = std::min(least, z);
      largest = std::max(largest, z);
    }
  }
  return std::log(largest / least);
}

TEST(Isotropy, IsMinusTheLogarithmOfI1_WithinItsTemperature) {
  const at::Tensor rows = drawn_numbers({9, 4}, 1) + 0.3, directions = eigenvectors(rows);
  const double exact = by_definition(rows, directions);
  ASSERT_GT(exact, 0.1);
  for (const double temperature : {1e-4, 0.01, 0.3}) {
    const double smooth = anisotropy(rows, directions, temperature).item<double>();
    EXPECT_GE(smooth, exact - 1e-12);
    EXPECT_LE(smooth, exact + 2 * temperature * std::log(8) + 1e-12);
  }
}

TEST(Isotropy, TakesUnitEigenvectorsOfTheSecondMoment) {
  const at::Tensor rows = drawn_numbers({9, 4}, 1), v = eigenvectors(rows), moment = at::mm(rows.t(), rows);
  EXPECT_TRUE(at::allclose(at::mm(v.t(), v), at::eye(4, at::kDouble), 0, 1e-12));
  const at::Tensor diagonal = at::mm(v.t(), at::mm(moment, v));
  EXPECT_TRUE(at::allclose(diagonal, at::diag(diagonal.diagonal()), 0, 1e-11));
}

TEST(Isotropy, DoesNotOverflow) {
  const at::Tensor rows = 1e4 * drawn_numbers({9, 4}, 1).to(at::kFloat);
  EXPECT_TRUE(std::isfinite(anisotropy(rows, eigenvectors(rows), 0.01).item<double>()));
  EXPECT_TRUE(gradient_of([](const at::Tensor& x) { return anisotropy(x, eigenvectors(x), 0.01); }, rows).isfinite().all().item<bool>());
}

TEST(Isotropy, HasTheGradientOfDifferences_AtConstantDirections) {
  const at::Tensor rows = drawn_numbers({6, 4}, 2), directions = eigenvectors(rows);
  expect_gradient_of_differences([&](const at::Tensor& x) { return anisotropy(x, directions, 0.1); }, rows, 1e-7);
}

TEST(Isotropy, KeepsItsDirectionsBetweenRefreshes) {
  const SmallModel model = small_bert();
  const std::string name = "bert.embeddings.word_embeddings.weight";
  const RegularizerMethod& method = regularizer_method("isotropy");
  const auto term = method.make({*model.family, model.weights, Key::root(1)}, method.options().resolve({{"every", 2}}, "test"));
  Weights weights = model.weights;
  const auto at_step = [&](int64_t number, const at::Tensor& value) {
    weights.set(name, value.detach().clone().set_requires_grad(true));
    Step step{number, 4, 0, Key::root(1), *model.family, weights, {}, 1, false};
    return term->step_loss(step).item<double>();
  };
  const at::Tensor before = model.weights.at(name), after = before + drawn_numbers(before.sizes().vec(), 7).to(at::kFloat);
  at_step(0, before);
  EXPECT_FLOAT_EQ(at_step(1, after), anisotropy(after, eigenvectors(before), 0.01).item<double>());
  EXPECT_FLOAT_EQ(at_step(2, after), anisotropy(after, eigenvectors(after), 0.01).item<double>());
}

}  // namespace
}  // namespace tsrun::isotropy
