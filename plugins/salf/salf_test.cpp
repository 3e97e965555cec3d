#include "tsrun/plugin_testing/delta.h"
#include "tsrun/plugin_testing/step_plugins.h"

#include "basis.h"
#include "deviation.h"
#include "rule.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/model/model.h"
#include "tsrun/train/probe.h"
#include "tsrun/tune/flat_buffer.h"
#include "unit/train/kinds.h"

#include <gtest/gtest.h>

namespace tsrun::salf {
namespace {

using namespace plugin_testing;

using nlohmann::json;
using salf::LabelBasis;

const bool cases =
    add_selector_case("salf", {{"rows", 16}}) &&
    add_selector_case("salf", {{"rows", 16}, {"deviation", "lens_ce"}, {"gain", "log_drop"}, {"rule", "benefit"}, {"price", 9}}) &&
    add_selector_case("salf", {{"rows", 16}, {"basis", "class_means"}, {"gain", "power_law"}, {"train_head", false}});

Options resolved(const json& options) { return selector_method("salf").options().resolve(options, "test"); }

/// Normal numbers, float64.
at::Tensor drawn(const std::vector<int64_t>& shape, uint64_t seed) {
  at::Tensor numbers = at::empty(shape, at::kFloat);
  fill_normal(Key::root(seed), {numbers.mutable_data_ptr<float>(), static_cast<size_t>(numbers.numel())});
  return numbers.to(at::kDouble);
}

/// Gives states that were made by hand.
class MadeUpStates final : public Probe {
 public:
  explicit MadeUpStates(LabelStates states) : states_(std::move(states)) {}
  int64_t rows() const override { return 1; }
  std::vector<std::vector<int64_t>> ids(int64_t) override { internal_error("not asked for"); }
  HiddenStates hidden(const Weights&, std::span<const int64_t>, int) override { internal_error("not asked for"); }
  LabelStates label_states(const Weights&, std::span<const int64_t>) override { return states_; }
  LossAndGradient loss_and_gradient(const Weights&, std::span<const int64_t>, std::optional<Key>) override {
    internal_error("not asked for");
  }

 private:
  LabelStates states_;
};

json bert_config(int64_t layers) {
  json config = small_bert().family->config();
  config["num_hidden_layers"] = layers;
  return config;
}

/// A BERT of four layers, and a choice by states whose labels' bases are reached behind layer `hit`, not before.
struct FourLayers {
  Model model = initialise_model(bert_config(4), {HeadKind::classification, 3}, nullptr, Key::root(2));

  MadeUpStates states(int hit) const {
    const at::Tensor labels = at::tensor(std::vector<int64_t>{2, 0, 1, 1, 0}, at::kLong);
    const LabelBasis basis = LabelBasis::pseudo_inverse(model.weights.at("classifier.weight"), 1e-10);
    Probe::LabelStates states{{}, labels, 0};
    for (int space = 0; space <= 4; ++space)
      states.states.push_back((space < hit ? drawn({5, 24}, 9) : basis.vectors(labels)).to(at::kFloat));
    return MadeUpStates(states);
  }
  MethodInputs inputs(Probe& probe) const {
    MethodInputs inputs{*model.family, model.weights, Key::root(1)};
    inputs.probe = &probe;
    return inputs;
  }
  Choice choice(int hit, json options) const {
    MadeUpStates probe = states(hit);
    options["read_out"] = false;
    return *selector_method("salf").choose(inputs(probe), resolved(options));
  }
};

TEST(SalfBasis, IsTheOrthogonalProjector_WithItsMatrix) {
  at::Tensor lost_rank = drawn({50, 4}, 1).mm(drawn({4, 8}, 2));
  lost_rank.narrow(0, 10, 5).zero_();
  const std::map<int64_t, at::Tensor> matrices = {{8, drawn({50, 8}, 3)}, {4, lost_rank}, {3, drawn({3, 8}, 4)}};
  for (const auto& [rank, matrix] : matrices) {
    const LabelBasis basis = LabelBasis::pseudo_inverse(matrix, 1e-10);
    const at::Tensor s = basis.vectors(at::arange(matrix.size(0))), projector = s.mm(matrix.t());
    EXPECT_EQ(basis.rank(), rank);
    EXPECT_TRUE(at::allclose(projector.mm(projector), projector, 0, 1e-9)) << rank;
    EXPECT_TRUE(at::allclose(projector, projector.t(), 0, 1e-9)) << rank;
    EXPECT_NEAR(projector.trace().item<double>(), static_cast<double>(rank), 1e-8);
    EXPECT_TRUE(at::allclose(s, at::linalg_pinv(matrix, 1e-8).t(), 0, 1e-8)) << rank;
  }
}

TEST(Salf, FreezesUpToTheLayerThatReachesTheLabels) {
  const FourLayers four;
  for (int hit = 1; hit <= 3; ++hit) {
    for (const char* deviation : {"basis_cos", "basis_ce", "lens_ce"}) {
      const Choice choice = four.choice(hit, {{"deviation", deviation}});
      EXPECT_EQ(choice.scope.frozen_layers, hit) << deviation;
      EXPECT_EQ(choice.table.at("latent_spaces").at("deviation").size(), 5U);
      EXPECT_EQ(choice.table.at("layers").at("gain").size(), 4U);
    }
  }
}

TEST(Salf, LeavesSomethingToTrain_WhenTheLastLayerGainsMost) {
  const FourLayers four;
  EXPECT_LT(four.choice(4, {}).scope.frozen_layers, 4);
  EXPECT_EQ(four.choice(4, {{"guard", "last"}, {"at_least", 2}}).scope.frozen_layers, 2);
}

TEST(Salf, TrainsTheUpperHalfOfFour_WithoutAGraphBelow) {
  const FourLayers four;
  const Choice choice = four.choice(2, {});
  EXPECT_NEAR(choice.table.at("step_share").get<double>(), 2.0 / 3, 1e-9);
  Weights weights;
  for (const ParameterInfo& info : four.model.family->parameters()) {
    const bool trained = choice.scope.entry(info).trained;
    EXPECT_EQ(trained, info.layer >= 2 || info.part == Part::pooler || info.part == Part::head) << info.name;
    weights.set(info.name, four.model.weights.at(info.name).clone().set_requires_grad(trained));
  }
  std::vector<at::Tensor> states;
  ForwardOptions options;
  options.hidden_states = &states;
  PackedBatch batch = small_bert().batch;
  task_loss(four.model.family->head(), four.model.family->forward(weights, batch, options), batch).backward();
  for (size_t i = 0; i < states.size(); ++i) EXPECT_EQ(states[i].requires_grad(), i > 2) << i;
  for (const ParameterInfo& info : four.model.family->parameters())
    EXPECT_EQ(weights.at(info.name).grad().defined(), choice.scope.entry(info).trained) << info.name;
}

TEST(Salf, IsFullFineTuning_WhenTheFirstLayerHoldsAllGains) {
  const Choice choice = FourLayers().choice(1, {{"rule", "budget"}, {"share", 1}});
  EXPECT_EQ(choice.table.at("step_share"), 1);
  const Model model = toy::tiny_bert();
  const Task task = toy::sentiment();
  EXPECT_FALSE(choice.scope.restricts(*model.family));
  const toy::Scratch scratch;
  TrainJob scoped = toy::job(model, task, {{"max_steps", 4}}, scratch.path() / "a");
  scoped.tune.scope = choice.scope;
  const TrainResult a = train(std::move(scoped)), b = train(toy::job(model, task, {{"max_steps", 4}}, scratch.path() / "b"));
  for (const std::string& name : a.last_weights.names()) EXPECT_TRUE(at::equal(a.last_weights.at(name), b.last_weights.at(name))) << name;
}

TEST(Salf, GivesATrainingNoScope_WhenItFreezesNothing) {
  const FourLayers four;
  for (const int hit : {1, 2}) {
    MadeUpStates probe = four.states(hit);
    const auto selector =
        selector_method("salf").make(four.inputs(probe), resolved({{"rule", "budget"}, {"share", 1}, {"read_out", false}}));
    Step step{0, 4, 0, Key::root(1), *four.model.family, four.model.weights, {}};
    EXPECT_EQ(selector->scope(step).has_value(), hit > 1) << "layer " << hit << " holds all gains";
  }
}

/// The toy task, looked at by a small BERT.
class SalfOnRows : public ::testing::Test {
 protected:
  json table(json options) {
    const auto probe = make_probe(model, task, train_options().resolve(json::object(), "test"), Key::root(4), at::kCPU);
    MethodInputs inputs{*model.family, model.weights, Key::root(4)};
    inputs.probe = probe.get();
    return selector_method("salf").choose(inputs, resolved(options))->table;
  }
  Task task = toy::sentiment();
  Model model = toy::tiny_bert();
};

TEST_F(SalfOnRows, KeepsItsNumbers_WhateverTheBatches) {
  for (const char* deviation : {"basis_cos", "lens_ce", "virtual_path"}) {
    const auto once =
        table({{"deviation", deviation}, {"rows_at_once", 64}}).at("latent_spaces").at("deviation").get<std::vector<double>>();
    const auto alone =
        table({{"deviation", deviation}, {"rows_at_once", 1}}).at("latent_spaces").at("deviation").get<std::vector<double>>();
    for (size_t i = 0; i < once.size(); ++i) EXPECT_NEAR(once[i], alone[i], 1e-6) << deviation << ' ' << i;
  }
}

TEST_F(SalfOnRows, EndsAtTheTasksLoss_ReadByTheHead) {
  const auto probe = make_probe(model, task, train_options().resolve(json::object(), "test"), Key::root(4), at::kCPU);
  std::vector<int64_t> all(static_cast<size_t>(probe->rows()));
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int64_t>(i);
  const double loss = probe->loss_and_gradient(model.weights, all).loss;
  EXPECT_NEAR(table({{"deviation", "lens_ce"}, {"rows", 1000}}).at("latent_spaces").at("deviation").back().get<double>(), loss, 1e-5);
}

TEST_F(SalfOnRows, StartsOnThePath) {
  EXPECT_NEAR(table({{"deviation", "virtual_path"}}).at("latent_spaces").at("deviation")[0].get<double>(), 0, 1e-9);
}

TEST_F(SalfOnRows, RefusesHeadsWithoutLabels_AndBasesOfTheOtherKind) {
  EXPECT_THROW(table({{"basis", "input_embedding"}}), Error);
  model = toy::tiny_bert({HeadKind::regression, 1});
  EXPECT_THROW(table({}), Error);
}

const std::vector<int64_t> three_words = {3, 8, 60};

/// Behind `three_words`, in the three spaces of two layers.
Choice by_states(const SmallModel& model, const std::vector<at::Tensor>& spaces, int first_layer, const json& options) {
  Probe::LabelStates states{{}, at::tensor(three_words, at::kLong), first_layer};
  for (const at::Tensor& space : spaces) states.states.push_back(space.to(at::kFloat));
  MadeUpStates probe(states);
  MethodInputs inputs{*model.family, model.weights, Key::root(1)};
  inputs.probe = &probe;
  return *selector_method("salf").choose(inputs, resolved(options));
}

Choice by_words(const SmallModel& model, const std::string& basis, int first_layer) {
  return by_states(model, {drawn({3, 24}, 0), drawn({3, 24}, 1), drawn({3, 24}, 2)}, first_layer, {{"basis", basis}});
}

TEST(Salf, FindsTheSameInHeadAndEmbeddings_WhereTheyAreTied) {
  const SmallModel model = small_gpt2();
  EXPECT_EQ(by_words(model, "head_row", 0).table.at("latent_spaces").at("deviation"),
            by_words(model, "input_embedding", 0).table.at("latent_spaces").at("deviation"));
  EXPECT_NE(by_words(model, "head_row", 0).table.at("latent_spaces").at("deviation"),
            by_words(model, "pinv", 0).table.at("latent_spaces").at("deviation"));
  EXPECT_THROW(by_words(model, "class_means", 0), Error);
}

TEST(Salf, FreezesTheTiedHead_WithTheEmbeddings) {
  const SmallModel model = small_gpt2();
  EXPECT_FALSE(by_words(model, "pinv", 0).scope.entry(*find_parameter(*model.family, model.family->label_matrix())).trained);
}

TEST(Salf, FreezesTheWholeEncoder_BelowADecoder) {
  const SmallModel model = small_t5();
  const Scope scope = by_words(model, "pinv", 2).scope;
  EXPECT_EQ(scope.frozen_layers, 3);
  for (const ParameterInfo& info : model.family->parameters())
    if (info.part == Part::encoder || info.part == Part::embeddings) {
      EXPECT_FALSE(scope.entry(info).trained) << info.name;
    }
}

TEST(Salf, CountsTheEncoder_WithTheLayerOfTheDecoderThatFreezesIt) {
  const SmallModel model = small_t5();
  std::vector<double> numbers(4);
  for (const ParameterInfo& info : model.family->parameters())
    if (info.layer >= 0) numbers[static_cast<size_t>(info.layer)] += static_cast<double>(model.weights.at(info.name).numel());
  const double last = numbers[3] / (numbers[0] + numbers[1] + numbers[2] + numbers[3]);
  const at::Tensor reached = salf::unit_rows(
      LabelBasis::pseudo_inverse(model.weights.at(model.family->label_matrix()), 1e-10).vectors(at::tensor(three_words, at::kLong)));
  const at::Tensor begin = salf::unit_rows(drawn({3, 24}, 5));
  const auto choice = [&](json options) {
    options["read_out"] = false;
    return by_states(model, {begin, begin + reached, reached}, 2, options);
  };
  const json table = choice(json::object()).table;
  EXPECT_NEAR(table.at("cost")[0].get<double>(), 1 - last, 1e-12);
  EXPECT_NEAR(table.at("cost")[1].get<double>(), last, 1e-12);
  EXPECT_EQ(table.at("frozen_layers"), 3);
  EXPECT_NEAR(table.at("step_share").get<double>(), (1 + 2 * last) / 3, 1e-12);
  const auto gain = table.at("layers").at("gain").get<std::vector<double>>();
  ASSERT_TRUE(gain[0] > 0 && gain[1] > 0);
  const double lost = gain[0] / (gain[0] + gain[1]), even = lost / (1 - last);  // the price at which freezing pays
  EXPECT_EQ(choice({{"rule", "benefit"}, {"price", 0.95 * even}}).scope.frozen_layers, 0);
  EXPECT_EQ(choice({{"rule", "benefit"}, {"price", 1.05 * even}}).scope.frozen_layers, 3);
}

void expect_frozen_layers(const toy::TaskModel& of) {
  const auto probe = make_probe(of.model, of.task, train_options().resolve({{"max_length", 24}}, "test"), Key::root(4), at::kCPU);
  MethodInputs inputs{*of.model.family, of.model.weights, Key::root(4)};
  inputs.probe = probe.get();
  for (const char* deviation : {"basis_cos", "basis_ce", "lens_ce", "virtual_path"}) {
    const json options = {{"rows", 16}, {"deviation", deviation}, {"rule", "benefit"}, {"price", 100}};
    EXPECT_EQ(selector_method("salf").choose(inputs, resolved(options))->scope.frozen_layers, of.model.family->layers() - 1) << deviation;
  }
}

TEST(Salf, ChoosesForEveryHead) {
  expect_frozen_layers(toy::with_bert(toy::sentiment()));
  expect_frozen_layers(toy::with_bert(toy::documents()));
  expect_frozen_layers(toy::with_bert(toy::tags()));
  expect_frozen_layers(toy::with_gpt2(toy::sentiment()));
  expect_frozen_layers(toy::with_gpt2(toy::documents()));
}

TEST(SalfRule, FindsTheExponentOfAPowerLaw) {
  std::vector<double> deviation;
  for (int x = 1; x <= 5; ++x) deviation.push_back(std::pow(x, -1.5));
  const auto gain = salf::gains_of(deviation, "power_law");
  for (size_t l = 1; l <= 4; ++l) {
    const double next = static_cast<double>(l) + 2;
    EXPECT_NEAR(gain[l - 1], deviation[l] - std::pow(next, -1.5), 1e-12) << l;
  }
}

TEST(SalfRule, WeighsGainsAgainstCost) {
  const std::vector<double> gain = {0.1, 0.5, -0.1, 0.2, 0.2}, cost(5, 0.2);
  const auto frozen = [&](const json& options) { return salf::frozen_by(gain, cost, resolved(options)); };
  EXPECT_EQ(frozen({}), 2);
  EXPECT_EQ(frozen({{"rule", "budget"}, {"share", 0.2}}), 4);
  EXPECT_EQ(frozen({{"rule", "budget"}, {"share", 0.4}}), 3);
  EXPECT_EQ(frozen({{"rule", "budget"}, {"share", 0.8}}), 1);
  EXPECT_EQ(frozen({{"rule", "benefit"}, {"price", 0}}), 0);
  EXPECT_EQ(frozen({{"rule", "benefit"}, {"price", 10}}), 4);
  EXPECT_NEAR(salf::step_share(cost, 0), 1, 1e-12);
}

}  // namespace
}  // namespace tsrun::salf
