#include "support/step_goldens.h"
#include "tsrun/plugin_testing/delta.h"
#include "tsrun/plugin_testing/step_plugins.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tsrun::r_drop {
namespace {

using namespace plugin_testing;

const bool cases = add_regularizer_case("r_drop", {{"alpha", 2}}) && add_regularizer_case("r_drop", {{"reduction", "sum"}});

/// The term for two given outputs of one batch, whose losses are 1 and 3.
double term(const at::Tensor& first, const at::Tensor& second, const nlohmann::json& options, double share = 1) {
  const SmallModel model = small_bert();
  const RegularizerMethod& method = regularizer_method("r_drop");
  const auto r_drop = method.make({*model.family, model.weights, Key::root(1)}, method.options().resolve(options, "test"));
  Step step{0, 1, 0, Key::root(1), *model.family, model.weights, {}, 1, false};
  ForwardPass pass{model.batch, share, 0, false, model.weights, {}, {}, {first, {}, {}, {}}, at::scalar_tensor(1.0, at::kDouble), {}, {}};
  pass.again = [&](Key, const auto&) { return Output{second, {}, {}, {}}; };
  pass.loss_of = [](const Output&) { return at::scalar_tensor(3.0, at::kDouble); };
  return r_drop->batch_loss(step, pass).item<double>();
}

TEST(RDrop, AddsTheSymmetricDivergence) {
  const at::Tensor p = at::tensor({0.2, 0.8, 0.5, 0.5}, at::kDouble).view({2, 2}),
                   q = at::tensor({0.6, 0.4, 0.5, 0.5}, at::kDouble).view({2, 2});
  const double forward = 0.2 * std::log(0.2 / 0.6) + 0.8 * std::log(0.8 / 0.4),
               backward = 0.6 * std::log(0.6 / 0.2) + 0.4 * std::log(0.4 / 0.8);
  const double divergence = (forward + backward) / 2;
  EXPECT_NEAR(term(p.log(), q.log(), {{"alpha", 3}}), 1 + 3 * divergence / 2, 1e-12);
  EXPECT_NEAR(term(p.log(), q.log(), {{"alpha", 3}, {"reduction", "sum"}}), 1 + 3 * divergence, 1e-12);
  EXPECT_NEAR(0.25 * term(p.log(), q.log(), {{"alpha", 3}, {"reduction", "sum"}}, 0.25), 0.25 + 3 * divergence, 1e-12);
}

TEST(RDrop, IsHalfTheDifferenceOfLosses_WhenBothPassesAgree) {
  const at::Tensor logits = at::tensor({1.0, -2.0, 0.5, 3.0}, at::kDouble).view({2, 2});
  EXPECT_DOUBLE_EQ(term(logits, logits, {{"alpha", 5}}), 1);
}

TEST(RDrop, IsPlainAdamW_WithoutDropout) {
  const RegularizerMethod& method = regularizer_method("r_drop");
  const Options options = method.options().resolve({{"alpha", 2}}, "test");
  expect_step_golden("plain", {"r_drop", {}, method.wants(options), {}, [&](const MethodInputs& in) { return method.make(in, options); }});
}

}  // namespace
}  // namespace tsrun::r_drop
