#include "low_rank.h"

#include "tsrun/base/operators.h"
#include "tsrun/plugin_testing/delta.h"
#include "tsrun/plugin_testing/step_plugins.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace tsrun::lift {
namespace {

using namespace plugin_testing;

const bool cases =
    add_selector_case("lift", {{"lora_rank", 2}, {"filter_rank", 4}, {"update_interval", 3}}) &&
    add_selector_case(
        "lift",
        {{"share", 0.2}, {"filter_rank", 4}, {"update_interval", 2}, {"svd", "randomized"}, {"others", "trained"}, {"freeze", "gradient"}});

at::Tensor numbers(int64_t rows, int64_t columns, uint64_t seed) {
  at::Tensor x = at::empty({rows, columns}, at::kFloat);
  fill_normal(Key::root(seed), {x.mutable_data_ptr<float>(), static_cast<size_t>(x.numel())});
  return x;
}

/// By LibTorch's own decomposition in float64.
at::Tensor truncated(const at::Tensor& matrix, int64_t rank) {
  const auto [u, s, v] = at::linalg_svd(matrix.to(at::kDouble), false);
  return at::mm(u.narrow(1, 0, rank) * s.narrow(0, 0, rank), v.narrow(0, 0, rank)).to(at::kFloat);
}

/// Singular values fall as those of trained weights do.
at::Tensor decaying(int64_t rows, int64_t columns, double power) {
  const auto [u, s, v] = at::linalg_svd(numbers(rows, columns, 3), false);
  const at::Tensor falling = at::arange(1, s.size(0) + 1, at::kFloat).pow(-power);
  return at::mm(u * falling, v);
}

TEST(Lift, ApproximatesAsTheTruncatedDecomposition_WideAndTall) {
  for (const auto& [rows, columns] : std::vector<std::pair<int64_t, int64_t>>{{24, 60}, {60, 24}, {32, 32}}) {
    const at::Tensor matrix = numbers(rows, columns, 1);
    EXPECT_TRUE(at::allclose(lift::low_rank(matrix, 7), truncated(matrix, 7), 1e-5, 1e-5)) << rows;
    EXPECT_TRUE(at::allclose(lift::low_rank(matrix, 99), matrix, 1e-5, 1e-5)) << "of full rank";
  }
}

TEST(Lift, ApproximatesNearlyAsWell_ByRandomProjection) {
  const at::Tensor matrix = decaying(40, 60, 1);
  const auto error = [&](const at::Tensor& of) { return (of - matrix).norm().item<double>(); };
  const double best = error(truncated(matrix, 8));
  EXPECT_LT(error(lift::randomized_low_rank(matrix, 8, 2, Key::root(5))), 1.001 * best);
  EXPECT_LT(error(lift::randomized_low_rank(matrix, 8, 0, Key::root(5))), 1.5 * best);
  EXPECT_TRUE(at::equal(lift::randomized_low_rank(matrix, 8, 1, Key::root(5)), lift::randomized_low_rank(matrix, 8, 1, Key::root(5))));
}

Scope chosen(const SmallModel& model, const nlohmann::json& options) {
  const SelectorMethod& method = selector_method("lift");
  return method.choose({*model.family, model.weights, Key::root(1)}, method.options().resolve(options, "test"))->scope;
}

TEST(Lift, TrainsTheLargestEntriesOfTheApproximation) {
  const SmallModel model = small_bert();
  const Scope scope = chosen(model, {{"filter_rank", 3}, {"lora_rank", 2}});
  EXPECT_EQ(scope.moments, Moments::carry);
  for (const ParameterInfo& info : model.family->parameters()) {
    const Scope::Entry entry = scope.entry(info);
    const bool linear = info.layer >= 0 && info.kind == ParameterKind::weight;
    EXPECT_EQ(entry.mask.defined(), linear) << info.name;
    EXPECT_EQ(entry.trained, linear || info.part == Part::pooler || info.part == Part::head) << info.name;
    if (!linear) continue;
    EXPECT_EQ(entry.mask.sum().item<int64_t>(), std::min((info.shape[0] + info.shape[1]) * 2, info.shape[0] * info.shape[1]));
    const at::Tensor scores = truncated(model.weights.at(info.name), 3).abs();
    EXPECT_GE(scores.masked_select(entry.mask).min().item<float>(),
              scores.masked_select(entry.mask.logical_not()).max().item<float>() - 1e-6F);
  }
}

TEST(Lift, ChoosesAgain_OneStepBeforeEachInterval) {
  const SmallModel model = small_bert();
  const SelectorMethod& method = selector_method("lift");
  const auto selector = method.make({*model.family, model.weights, Key::root(1)},
                                    method.options().resolve({{"share", 0.1}, {"filter_rank", 2}, {"update_interval", 4}}, "test"));
  std::vector<int64_t> chosen_at;
  for (int64_t number = 0; number < 12; ++number) {
    MadeUpStep made(model, Key::root(2));
    made.step.number = number;
    if (selector->scope(made.step)) chosen_at.push_back(number);
  }
  EXPECT_EQ(chosen_at, (std::vector<int64_t>{0, 3, 7, 11}));
  EXPECT_EQ(selector->report().at("masks"), 4);
}

TEST(Lift, ChoosesInEveryKindOfModel) {
  for (const SmallModel& model : {small_gpt2(), small_t5()}) {
    const Scope scope = chosen(model, {{"filter_rank", 2}, {"share", 0.1}});
    scope.check(*model.family, model.name);
    for (const ParameterInfo& info : model.family->parameters())
      EXPECT_EQ(scope.entry(info).mask.defined(), info.layer >= 0 && info.kind == ParameterKind::weight) << info.name;
  }
}

}  // namespace
}  // namespace tsrun::lift
