#include "support/step_goldens.h"
#include "tsrun/plugin_testing/delta.h"
#include "tsrun/plugin_testing/step_plugins.h"

#include "fisher.h"
#include "method.h"
#include "tsrun/base/operators.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace tsrun::child_tuning {
namespace {

using namespace plugin_testing;

const bool cases = add_regularizer_case("child_tuning", {{"variant", "d"}, {"fisher_batch", 40}}) &&
                   add_regularizer_case("child_tuning", {{"variant", "f"}, {"p", 0.4}}) &&
                   add_selector_case("child_network", {{"p", 0.2}, {"fisher_batch", 40}}) &&
                   add_selector_case("child_network", {{"freeze", "state"}, {"fisher_batch", 40}});

Options child_options(const nlohmann::json& given) { return regularizer_method("child_tuning").options().resolve(given, "test"); }

/// The gradient of a row is its number + 1, times 0.01 (i + 1) in element i; batches give the mean of their rows.
class CountingProbe final : public Probe {
 public:
  explicit CountingProbe(const Family& family) : family_(family) {}
  int64_t rows() const override { return 5; }
  std::vector<std::vector<int64_t>> ids(int64_t) override { return {}; }
  HiddenStates hidden(const Weights&, std::span<const int64_t>, int) override { return {}; }
  LabelStates label_states(const Weights&, std::span<const int64_t>) override { return {}; }
  LossAndGradient loss_and_gradient(const Weights&, std::span<const int64_t> rows, std::optional<Key> dropout) override {
    EXPECT_TRUE(dropout.has_value());
    double mean = 0;
    for (const int64_t row : rows) mean += static_cast<double>(row + 1) / static_cast<double>(rows.size());
    LossAndGradient result;
    for (const ParameterInfo& info : family_.parameters()) result.gradient.set(info.name, at::full(info.shape, gradient_of(info, mean)));
    for (const int64_t row : rows) seen.insert(row);
    batches.push_back(mean);
    return result;
  }
  static float gradient_of(const ParameterInfo& info, double mean) {
    return static_cast<float>(mean * 0.01 * static_cast<double>(info.layer + 2));
  }
  std::set<int64_t> seen;
  std::vector<double> batches;

 private:
  const Family& family_;
};

/// Gradients differ by layer alone, so one layer's entries all tie, above those of the layer below.
TEST(ChildTuning, RanksMeanSquaresOfAllRows_ThatAreClippedByParameter) {
  const SmallModel model = small_bert();
  for (const double clip : {0.0, 0.3}) {
    CountingProbe probe(*model.family);
    const auto child = child_tuning::child_of({*model.family, model.weights, Key::root(1), 0, 0, &probe},
                                              child_options({{"p", 0.25}, {"fisher_batch", 2}, {"fisher_clip", clip}}));
    EXPECT_EQ(probe.seen.size(), 5U);
    EXPECT_EQ(child.batches, 3);
    double expected = 1e9;
    for (const ParameterInfo& info : model.family->parameters()) {
      if (info.layer < 0) continue;
      double score = 0;
      for (const double mean : probe.batches) {
        const double g = CountingProbe::gradient_of(info, mean),
                     norm = g * std::sqrt(static_cast<double>(child.masks.at(info.name).numel()));
        score += std::pow(clip > 0 && norm > clip ? g * clip / norm : g, 2) / 3;
      }
      if (child.masks.at(info.name).any().item<bool>()) expected = std::min(expected, score);
    }
    EXPECT_NEAR(child.threshold / expected, 1, 1e-4) << clip;
  }
}

TEST(ChildTuning, KeepsTheShareOfAllLayersTogether_AndMasksNothingElse) {
  const SmallModel model = small_bert();
  CountingProbe probe(*model.family);
  for (const double p : {0.1, 0.5, 1.0}) {
    const auto child = child_tuning::child_of({*model.family, model.weights, Key::root(1), 0, 0, &probe}, child_options({{"p", p}}));
    int64_t kept = 0;
    for (const ParameterInfo& info : model.family->parameters()) {
      EXPECT_EQ(child.masks.contains(info.name), info.layer >= 0) << info.name;
      if (info.layer >= 0) kept += child.masks.at(info.name).sum().item<int64_t>();
    }
    EXPECT_EQ(kept, child.kept);
    EXPECT_NEAR(static_cast<double>(kept), p * static_cast<double>(child.entries), 1);
  }
}

TEST(ChildTuning, IsTheRuleOfItsReference) {
  const RegularizerMethod& method = regularizer_method("child_tuning");
  const Options d = child_options({{"variant", "d"}, {"p", 0.2}});
  expect_step_golden("child_tuning_d",
                     {"child_tuning", {}, method.wants(d), {}, [&](const MethodInputs& in) { return method.make(in, d); }});
  const auto drawn = [](const std::string& name, int64_t numbers, const Step& step) {
    ParameterInfo info;
    info.name = name;
    return golden_numbers(info, step.number, {numbers}) < 0.3;
  };
  expect_step_golden("child_tuning_f", {"child_tuning", {}, method.wants(d), {}, [&](const MethodInputs&) {
                                          return child_tuning::make_task_free(0.3, drawn);
                                        }});
}

}  // namespace
}  // namespace tsrun::child_tuning
