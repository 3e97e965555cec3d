#include "tsrun/plugin_testing/delta.h"
#include "tsrun/plugin_testing/step_plugins.h"

#include "cka.h"
#include "marchenko_pastur.h"
#include "surgical.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/model/model.h"
#include "tsrun/train/probe.h"
#include "tsrun/tune/flat_buffer.h"
#include "unit/train/kinds.h"

#include <gtest/gtest.h>

#include <set>

namespace tsrun::layer_scores {
namespace {

using namespace plugin_testing;

using nlohmann::json;

const bool cases = add_selector_case("spectrum", {{"share", 0.5}}) &&
                   add_selector_case("spectrum", {{"share", 0.5}, {"embeddings", false}, {"norms", true}, {"svd", "float64"}}) &&
                   add_selector_case("gradient_norm", {{"batches", 2}, {"rows_at_once", 8}}) &&
                   add_selector_case("signal_to_noise", {{"batches", 2}, {"rows_at_once", 8}, {"threshold", 1}}) &&
                   add_selector_case("fisher_layers", {{"layers", 1}, {"rows", 8}}) &&
                   add_selector_case("fisher_layers", {{"layers", 1}, {"rows", 8}, {"which", "least"}, {"embeddings", true}}) &&
                   add_selector_case("cka_layers", {{"layers", 1}, {"rows", 16}}) &&
                   add_selector_case("ila", {{"rows", 16}, {"rows_at_once", 8}});

at::Tensor drawn(const std::vector<int64_t>& shape, uint64_t seed) {
  at::Tensor numbers = at::empty(shape, at::kFloat);
  fill_normal(Key::root(seed), {numbers.mutable_data_ptr<float>(), static_cast<size_t>(numbers.numel())});
  return numbers.to(at::kDouble);
}

/// Choices on the toy task.
class ScoresOfLayers : public ::testing::Test {
 protected:
  std::unique_ptr<Probe> probe() {
    return make_probe(model, task, train_options().resolve(json::object(), "test"), Key::root(4), at::kCPU);
  }
  Choice chosen(const std::string& name, const json& options, const Weights* solution = nullptr) {
    const SelectorMethod& method = selector_method(name);
    const auto rows = probe();
    return *method.choose({*model.family, model.weights, Key::root(4), 0, 0, rows.get(), solution},
                          method.options().resolve(options, "test"));
  }
  Task task = toy::sentiment();
  Model model = toy::tiny_bert();
};

TEST(SpectralScore, WeighsWhatStandsOutOfTheNoise) {
  // Quartiles of {0.8, 1, 1.2, 8}: 0.95 and 2.9; edge 1.95 / 1.349 · 2 = 2.89; (8 / 3) / 8.
  EXPECT_NEAR(layer_scores::spectral_score(at::diag(at::tensor({8.0, 1.2, 1.0, 0.8}, at::kDouble))), 1.0 / 3, 1e-9);
}

TEST_F(ScoresOfLayers, ChooseByModule_WhereTheSpectrumScoresMost) {
  for (const ParameterInfo& info : model.family->parameters()) {
    if (info.layer != 0 || info.kind != ParameterKind::weight) continue;
    std::string above = info.name;
    above.replace(above.find("layer.0."), 8, "layer.1.");
    model.weights.set(above, 10 * model.weights.at(info.name));  // the score is over the largest singular value
  }
  const Choice choice = chosen("spectrum", {{"share", 0.5}});
  for (const ParameterInfo& info : model.family->parameters()) {
    const bool norm = info.kind == ParameterKind::norm_weight || info.kind == ParameterKind::norm_bias;
    EXPECT_EQ(choice.scope.entry(info).trained, info.layer < 0 || (info.layer == 0 && !norm)) << info.name;
  }
  EXPECT_EQ(choice.table.at("layers").size(), 6U);
  double shares = 0;
  for (const double share : choice.table.at("trained_share")) shares += share;
  EXPECT_NEAR(6 * shares, static_cast<double>(choice.table.at("trained").size()), 1e-9);  // of six matrices a layer
}

TEST(Surgical, TakesTheStatisticsOfTheRelease) {
  const at::Tensor gradient = at::tensor({1.0, 2.0, 3.0, 4.0}, at::kDouble).view({2, 2});
  EXPECT_NEAR(layer_scores::signal_to_noise(gradient, 0), (0.5 + 2 + 4.5 + 8) / 4, 1e-12);
  EXPECT_NEAR(layer_scores::relative_norm(gradient, 2 * gradient), 0.5, 1e-12);
  EXPECT_LT(layer_scores::relative_norm(gradient, at::zeros_like(gradient)), 0);
  EXPECT_LT(layer_scores::relative_norm(gradient, at::full_like(gradient, 1e-8)), 0);
  EXPECT_LT(layer_scores::signal_to_noise(gradient.narrow(0, 0, 1), 0), 0);
}

TEST_F(ScoresOfLayers, GiveTheTensorOfLargestRelativeGradientTheWholeRate) {
  const Choice choice = chosen("gradient_norm", {{"batches", 2}});
  std::set<double> rates;
  for (const ParameterInfo& info : model.family->parameters()) {
    const double rate = choice.scope.parameters.at(info.name).rate;
    rates.insert(rate);
    EXPECT_TRUE(rate >= 0 && rate <= 1) << info.name;
    EXPECT_TRUE(info.kind != ParameterKind::bias || rate == 1) << info.name;  // biases are zeros at first
  }
  EXPECT_EQ(*rates.rbegin(), 1);
  EXPECT_LT(*rates.begin(), 1);
}

TEST_F(ScoresOfLayers, TrainTheTensorsAboveTheRatio) {
  const Choice choice = chosen("signal_to_noise", {{"threshold", 1}});
  for (const auto& [name, score] : choice.table.at("scores").items())
    EXPECT_EQ(choice.scope.entry(*find_parameter(*model.family, name)).trained, score < 0 || score >= 1) << name << ' ' << score;
}

TEST_F(ScoresOfLayers, GiveNoScope_WhileAllTensorsAreAboveTheRatio) {
  const SelectorMethod& method = selector_method("signal_to_noise");
  const auto rows = probe();
  const auto asked = [&](double threshold, const Scope* before) {
    const auto selector = method.make({*model.family, model.weights, Key::root(4), 2, 2, rows.get()},
                                      method.options().resolve({{"threshold", threshold}, {"batches", 1}}, "test"));
    Step step{0, 2, 0, Key::root(4), *model.family, model.weights, {}};
    step.chosen = before;
    const auto scope = selector->scope(step);
    const std::vector<double> shares = selector->report().at("trained_share");
    for (const double share : shares) EXPECT_EQ(share == 1, threshold == 0) << share;
    return scope;
  };
  const Scope before;
  EXPECT_FALSE(asked(0, nullptr));
  EXPECT_TRUE(asked(0, &before)) << "a scope that was given before is replaced by one of everything";
  EXPECT_TRUE(asked(1, nullptr));
}

TEST_F(ScoresOfLayers, MeasureTheMeanSquareOfGradients) {
  const auto information =
      chosen("fisher_layers", {{"layers", 1}, {"rows", 1000}, {"rows_at_once", 96}}).table.at("layers").at("information");
  std::vector<int64_t> all(96);
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int64_t>(i);
  const Weights gradient = probe()->loss_and_gradient(model.weights, all).gradient;
  double sum = 0, numbers = 0;
  for (const ParameterInfo& info : model.family->parameters())
    if (info.layer == 1) {
      sum += gradient.at(info.name).square().sum().item<double>();
      numbers += static_cast<double>(gradient.at(info.name).numel());
    }
  EXPECT_NEAR(information[1].get<double>() / (sum / numbers), 1, 1e-4);
}

TEST_F(ScoresOfLayers, TrainTheLayersWithMost_OrLeast) {
  const auto layers = [&](const char* which) {
    return chosen("fisher_layers", {{"layers", 1}, {"rows", 8}, {"which", which}}).table.at("trained_layers");
  };
  EXPECT_NE(layers("most"), layers("least"));
  EXPECT_THROW(chosen("fisher_layers", {{"layers", 3}}), Error);
}

void expect_a_choice(const toy::TaskModel& of) {
  const std::map<std::string, json> options = {{"spectrum", {{"share", 0.5}}},
                                               {"gradient_norm", {{"batches", 1}, {"rows_at_once", 8}}},
                                               {"signal_to_noise", {{"batches", 1}, {"rows_at_once", 8}, {"threshold", 1}}},
                                               {"fisher_layers", {{"layers", 1}, {"rows", 2}}},
                                               {"cka_layers", {{"layers", 1}, {"rows", 8}}}};
  for (const auto& [name, given] : options) {
    const SelectorMethod& method = selector_method(name);
    const auto probe = make_probe(of.model, of.task, train_options().resolve({{"max_length", 24}}, "test"), Key::root(4), at::kCPU);
    const auto choice =
        method.choose({*of.model.family, of.model.weights, Key::root(4), 0, 0, probe.get()}, method.options().resolve(given, "test"));
    choice->scope.check(*of.model.family, name);
    EXPECT_TRUE(choice->scope.restricts(*of.model.family)) << name;
  }
}

TEST(LayerScores, ChooseFromEveryKindOfModel) {
  expect_a_choice(toy::with_bert(toy::sentiment()));
  expect_a_choice(toy::with_gpt2(toy::documents()));
  expect_a_choice(toy::with_t5(toy::sentiment_in_words()));
}

TEST(Cka, IsOne_UpToRotationScaleAndShift) {
  const at::Tensor x = drawn({40, 6}, 1), rotation = std::get<0>(at::linalg_qr(drawn({6, 6}, 2)));
  EXPECT_NEAR(layer_scores::linear_cka(x, 3 * x.mm(rotation) + 5), 1, 1e-12);
  EXPECT_LT(layer_scores::linear_cka(x, drawn({40, 6}, 3)), 0.5);
}

/// The first layer rotates its input, the second replaces it.
class Rotating final : public Probe {
 public:
  int64_t rows() const override { return 30; }
  std::vector<std::vector<int64_t>> ids(int64_t) override { internal_error("not asked for"); }
  HiddenStates hidden(const Weights&, std::span<const int64_t> rows, int layer) override {
    HiddenStates found{at::stack([&] {
                         std::vector<at::Tensor> all;
                         for (const int64_t row : rows) all.push_back(drawn({6}, static_cast<uint64_t>(layer < 2 ? row : row + 100)));
                         return all;
                       }()),
                       {0}};
    if (layer == 1) found.states = found.states.flip({1});
    for (size_t i = 0; i < rows.size(); ++i) found.offsets.push_back(static_cast<int64_t>(i) + 1);
    return found;
  }
  LabelStates label_states(const Weights&, std::span<const int64_t>) override { internal_error("not asked for"); }
  LossAndGradient loss_and_gradient(const Weights&, std::span<const int64_t>, std::optional<Key>) override {
    internal_error("not asked for");
  }
};

TEST(Cka, TrainsTheLayerThatChangesTheRepresentation) {
  const SelectorMethod& method = selector_method("cka_layers");
  const SmallModel model = small_bert();
  Rotating probe;
  const Choice choice =
      *method.choose({*model.family, model.weights, Key::root(1), 0, 0, &probe}, method.options().resolve({{"layers", 1}}, "test"));
  EXPECT_NEAR(choice.table.at("layers").at("change")[0].get<double>(), 0, 1e-9);
  EXPECT_EQ(choice.table.at("trained_layers"), json({1}));
}

TEST_F(ScoresOfLayers, FreezeTheLayerWhoseUpdateDoesNothing_OrHarm) {
  const toy::Scratch scratch;
  const Weights tuned = train(toy::job(model, task, {{"epochs", 2}}, scratch.path() / "a")).last_weights;
  Weights helps = tuned, harms = tuned;
  for (const ParameterInfo& info : model.family->parameters()) {
    if (info.layer == 0) helps.set(info.name, model.weights.at(info.name)), harms.set(info.name, model.weights.at(info.name));
    if (info.layer == 1) harms.set(info.name, model.weights.at(info.name) - 2 * (tuned.at(info.name) - model.weights.at(info.name)));
  }
  EXPECT_EQ(chosen("ila", {}, &helps).table.at("trained_layers"), json({1}));
  EXPECT_EQ(chosen("ila", {}, &harms).table.at("trained_layers"), json({0}));
  EXPECT_THROW(chosen("ila", {}), Error);
}

/// (1 - 8 / 10) · 10 is a little less than 2.
TEST_F(ScoresOfLayers, LeaveAsManyLayersAsAsked_WhateverTheRoundingOfTheShare) {
  json config = model.family->config();
  config["num_hidden_layers"] = 10;
  model = initialise_model(config, model.family->head(), model.tokenizer, Key::root(3));
  const Weights tuned = model.weights;
  for (const double kept : {1, 3, 6, 8, 9}) {
    const json options = {{"frozen_share", 1 - kept / 10}, {"gate_steps", 1}, {"rows", 2}, {"rows_at_once", 2}};
    EXPECT_EQ(static_cast<double>(chosen("ila", options, &tuned).table.at("trained_layers").size()), kept) << kept;
  }
}

}  // namespace
}  // namespace tsrun::layer_scores
