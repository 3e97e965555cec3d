#include "tsrun/plugin_testing/delta.h"
#include "tsrun/plugin_testing/step_plugins.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tsrun::gradient_mask {
namespace {

using namespace plugin_testing;

const bool cases =
    add_selector_case("gradient_mask", {{"rows", 20}, {"row_batch", 8}}) &&
    add_selector_case("gradient_mask", {{"rows", 8},
                                        {"row_batch", 1},
                                        {"score", "gradient_squared"},
                                        {"granularity", "global"},
                                        {"others", "frozen"},
                                        {"freeze", "update"}}) &&
    add_selector_case("gradient_mask", {{"rows", 8}, {"score", "magnitude_times_gradient"}, {"freeze", "gradient"}}) &&
    add_selector_case("sift", {{"sparse_rate", 0.05}}) &&
    add_selector_case("sift", {{"sparse_rate", 0.05}, {"others", "trained"}, {"freeze", "gradient"}}) &&
    add_selector_case("gradient_mask_tuning", nlohmann::json::object()) &&
    add_selector_case("gradient_mask_tuning", {{"every", 3}, {"share", 0.1}, {"granularity", "global"}, {"freeze", "state"}});

const std::string kQuery = "bert.encoder.layer.0.attention.self.query.weight";

Options options_of(const std::string& method, const nlohmann::json& given) {
  return selector_method(method).options().resolve(given, "test");
}

Scope chosen(const std::string& method, const nlohmann::json& options, const SmallModel& model, Probe* probe) {
  return selector_method(method).choose({*model.family, model.weights, Key::root(1), 0, 0, probe}, options_of(method, options))->scope;
}

/// Whether the mask holds the `count` largest scores.
void expect_largest(const at::Tensor& mask, const at::Tensor& scores, int64_t count) {
  EXPECT_EQ(mask.sum().item<int64_t>(), count);
  EXPECT_GE(scores.masked_select(mask).min().item<double>(), scores.masked_select(mask.logical_not()).max().item<double>());
}

class GradientMask : public ::testing::Test {
 protected:
  SmallModel model = small_bert();
  MadeUpProbe probe{*model.family, 10};
  /// Gradients of every row, [rows, …].
  at::Tensor gradients(const std::string& name) {
    std::vector<at::Tensor> rows;
    for (int64_t row = 0; row < probe.rows(); ++row) rows.push_back(probe.gradient_of(name, row));
    return at::stack(rows);
  }
  static int64_t part(double share, const at::Tensor& x) { return static_cast<int64_t>(std::ceil(share * static_cast<double>(x.numel()))); }
};

TEST_F(GradientMask, FollowsTheFormulaOfEveryScore) {
  const at::Tensor rows = gradients(kQuery), weight = model.weights.at(kQuery);
  const std::map<std::string, at::Tensor> expected = {{"gradient", rows.mean(0).abs()},
                                                      {"gradient_squared", rows.square().mean(0)},
                                                      {"magnitude_times_gradient", (weight * rows.mean(0)).abs()}};
  for (const auto& [score, scores] : expected) {
    const Scope scope = chosen("gradient_mask", {{"score", score}, {"share", 0.1}, {"row_batch", 1}}, model, &probe);
    expect_largest(scope.parameters.at(kQuery).mask, scores, part(0.1, weight));
  }
}

TEST_F(GradientMask, WeighsAShorterLastBatchByItsRows) {
  const Scope scope = chosen("gradient_mask", {{"share", 0.1}, {"row_batch", 4}}, model, &probe);
  expect_largest(scope.parameters.at(kQuery).mask, gradients(kQuery).mean(0).abs(), part(0.1, model.weights.at(kQuery)));
}

TEST_F(GradientMask, ComparesTensorsWithEachOther_WhenGlobal) {
  probe.scale(kQuery, 1e4);
  const Scope scope = chosen("gradient_mask", {{"share", 1e-3}, {"granularity", "global"}}, model, &probe);
  int64_t elsewhere = 0;
  for (const auto& [name, entry] : scope.parameters)
    if (name != kQuery) elsewhere += entry.mask.sum().item<int64_t>();
  EXPECT_EQ(elsewhere, 0);
  EXPECT_GT(scope.parameters.at(kQuery).mask.sum().item<int64_t>(), 0);
}

TEST_F(GradientMask, IsRefused_WithoutRows) {
  EXPECT_THROW(chosen("gradient_mask", nlohmann::json::object(), model, nullptr), Error);
  EXPECT_THROW(chosen("sift", nlohmann::json::object(), model, nullptr), Error);
}

TEST_F(GradientMask, OfSift_CountsAsItsReference_AndFreezesTheRest) {
  const Scope scope = chosen("sift", {{"sparse_rate", 0.01}}, model, &probe);
  for (const ParameterInfo& info : model.family->parameters()) {
    const Scope::Entry entry = scope.entry(info);
    const bool head = info.part == Part::head || info.part == Part::pooler;
    EXPECT_EQ(entry.trained, head || entry.mask.defined()) << info.name;
    if (!entry.mask.defined()) continue;
    const auto count = static_cast<int64_t>(0.01 * static_cast<double>(entry.mask.numel())) + 1;
    expect_largest(entry.mask, gradients(info.name).mean(0).abs(), count);
  }
}

TEST_F(GradientMask, OfSift_IsTakenFromTheFirstStepAlone) {
  const auto selector = selector_method("sift").make({*model.family, model.weights, Key::root(1)}, options_of("sift", {}));
  MadeUpStep made(model, Key::root(2));
  EXPECT_TRUE(selector->scope(made.step)) << "the others are frozen before the first pass";
  const auto scope = selector->scope_after_backward(made.step);
  const at::Tensor scores = made.gradient(kQuery).abs();
  expect_largest(scope->parameters.at(kQuery).mask, scores, static_cast<int64_t>(0.008 * static_cast<double>(scores.numel())) + 1);
  made.step.number = 1;
  EXPECT_FALSE(selector->scope(made.step));
  EXPECT_FALSE(selector->scope_after_backward(made.step));
}

TEST_F(GradientMask, OfATuning_HoldsTheLargestGradientsOfEachStep) {
  const auto selector =
      selector_method("gradient_mask_tuning")
          .make({*model.family, model.weights, Key::root(1)}, options_of("gradient_mask_tuning", {{"share", 0.2}, {"every", 2}}));
  std::optional<Scope> last;
  for (int64_t number = 0; number < 4; ++number) {
    MadeUpStep made(model, Key::root(2).split(static_cast<uint64_t>(number)));
    made.step.number = number;
    made.step.chosen = last ? &*last : nullptr;
    const auto scope = selector->scope_after_backward(made.step);
    ASSERT_EQ(scope.has_value(), number % 2 == 0);
    if (!scope) continue;
    expect_largest(scope->parameters.at(kQuery).mask, made.gradient(kQuery).abs(), part(0.2, made.gradient(kQuery)));
    last = scope;
  }
  const nlohmann::json report = selector->report();
  EXPECT_EQ(report.at("masks"), 2);
  EXPECT_NEAR(report.at("kept_share").get<double>(), 0.2, 1e-3);
  EXPECT_NEAR(report.at("changed_share").get<double>(), 2 * 0.2 * 0.8, 0.03) << "masks of unrelated gradients";
}

TEST_F(GradientMask, OfATuning_RefusesCompactScopes) {
  const auto selector =
      selector_method("gradient_mask_tuning").make({*model.family, model.weights, Key::root(1)}, options_of("gradient_mask_tuning", {}));
  MadeUpStep made(model, Key::root(2));
  Layout entries;
  entries.add(kQuery, {3});
  const at::Tensor three = at::zeros({3});
  made.step.blocks = {
      {.name = "encoder_entries", .layout = &entries, .value = three, .gradient = three, .origin = {}, .rate = 0, .spans = {}}};
  EXPECT_THROW(selector->scope_after_backward(made.step), Error);
}

TEST_F(GradientMask, ChoosesInEveryKindOfModel) {
  for (const SmallModel& other : {small_gpt2(), small_t5()}) {
    MadeUpProbe rows(*other.family, 4);
    for (const char* method : {"gradient_mask", "sift"}) {
      const Scope scope = chosen(method, nlohmann::json::object(), other, &rows);
      scope.check(*other.family, other.name);
      EXPECT_TRUE(scope.restricts(*other.family)) << other.name << ' ' << method;
    }
    const auto selector =
        selector_method("gradient_mask_tuning").make({*other.family, other.weights, Key::root(1)}, options_of("gradient_mask_tuning", {}));
    MadeUpStep made(other, Key::root(2));
    EXPECT_TRUE(selector->scope_after_backward(made.step)->restricts(*other.family)) << other.name;
  }
}

}  // namespace
}  // namespace tsrun::gradient_mask
