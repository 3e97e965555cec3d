#include "support/finite_differences.h"
#include "tsrun/plugin_testing/delta.h"
#include "tsrun/plugin_testing/step_plugins.h"

#include "gates.h"
#include "recent_words.h"
#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/tune/word_statistics.h"

#include <gtest/gtest.h>

#include <limits>

namespace tsrun::adaptive_gradient_gating {
namespace {

using namespace plugin_testing;

using namespace adaptive_gradient_gating;  // NOLINT: of this plugin
using nlohmann::json;

const bool cases = add_regularizer_case("adaptive_gradient_gating", json::object(), {.words = true, .batch_statistic = true}) &&
                   add_regularizer_case("adaptive_gradient_gating", {{"alpha", 1}, {"memory", 2}, {"spared", 4}},
                                        {.words = true, .batch_statistic = true});

at::Tensor whole_numbers(const std::vector<int64_t>& numbers) { return at::tensor(numbers, at::kLong); }

/// Five steps: word 0 is spared, 1 is frequent, 2 and 3 are rare, 4 is unseen. The mean count of rare words is (2 + 1 + 0) / 3.
TEST(AdaptiveGradientGating, MakesTheGatesOfItsRule) {
  const Gates gates = gates_of(whole_numbers({0, 5, 2, 1, 0}), 5, 0.5, 1);
  EXPECT_TRUE(at::equal(gates.rare, at::tensor(std::vector<int64_t>{0, 0, 1, 1, 1}).to(at::kBool)));
  EXPECT_TRUE(at::allclose(gates.by_target[0], at::tensor(std::vector<float>{1, 1, 0.4F, 0.2F, 0})));
  EXPECT_TRUE(at::allclose(gates.by_target[1], at::tensor(std::vector<float>{1, 1, 1, 1, 0}), 1e-5, 1e-6));
  EXPECT_NEAR(gates_of(whole_numbers({9, 4, 1}), 10, 0.5, 0).by_target[1][2].item<double>(), 1 / 2.5, 1e-6);
  EXPECT_TRUE(at::equal(gates_of(whole_numbers({3, 4}), 1, 1, 0).by_target, at::ones({2, 2})));
}

/// The loss of three parts: with the matrix held, for the states; with the states and the shut part of the scores held, for the matrix, at
/// positions with frequent targets and at those with rare ones.
TEST(AdaptiveGradientGating, HasTheGradientsOfItsReference) {
  const at::Tensor read = drawn_numbers({6, 3}, 1).set_requires_grad(true), weight = drawn_numbers({5, 3}, 2).set_requires_grad(true);
  const at::Tensor targets = whole_numbers({1, 2, 3, 1, 0, 2});
  const Gates gates = gates_of(whole_numbers({9, 6, 2, 1, 0}), 5, 0.5, 0);
  const auto loss = [&](const at::Tensor& scores, const at::Tensor& of) {
    return at::cross_entropy_loss(scores, of, {}, at::Reduction::Sum);
  };

  at::Tensor reference = loss(at::mm(read, weight.detach().t()), targets);
  for (const bool rare : {false, true}) {
    const at::Tensor places = (gates.rare.index_select(0, targets) == rare).nonzero().flatten(), of = targets.index_select(0, places);
    const at::Tensor scores = at::mm(read.detach().index_select(0, places), weight.t());
    const at::Tensor gate = gates.by_target[rare ? 1 : 0].to(at::kDouble).repeat({places.size(0), 1}).scatter(1, of.unsqueeze(1), 1);
    reference = reference + loss(gate * scores + (1 - gate) * scores.detach(), of);
  }
  reference.backward();
  const at::Tensor of_read = read.grad().clone(), of_weight = weight.grad().clone();
  read.mutable_grad().zero_();
  weight.mutable_grad().zero_();

  const at::Tensor scores = at::mm(read, weight.t());
  loss(gated_scores(scores, read, weight, targets, gates), targets).backward();
  EXPECT_TRUE(at::allclose(read.grad(), of_read, 1e-12, 1e-14));
  EXPECT_TRUE(at::allclose(weight.grad(), of_weight, 1e-6, 1e-8));  // gates are float32
  EXPECT_EQ(weight.grad()[4].abs().max().item<double>(), 0);        // never a target: exactly nothing
}

TEST(AdaptiveGradientGating, CountsWordsOfTheLastSteps) {
  RecentWords words(4, 2), resumed(4, 2);
  const auto step = [](RecentWords& of, const std::vector<std::vector<int64_t>>& micro_batches) {
    of.begin_step();
    for (const auto& batch : micro_batches) of.add(whole_numbers(batch));
  };
  step(words, {{0, 0}, {1, 0}});
  step(words, {{3}});
  EXPECT_TRUE(at::equal(words.counts(), whole_numbers({3, 1, 0, 1})));
  resumed.restore(words.state());
  for (RecentWords* of : {&words, &resumed}) {
    step(*of, {{2}});
    EXPECT_TRUE(at::equal(of->counts(), whole_numbers({0, 0, 1, 1})));
  }
  EXPECT_TRUE(at::equal(words.state().at("words"), resumed.state().at("words")));
}

/// Gradients of all parameters, with the plugin's hooks or without.
Weights gradients(const SmallModel& model, const json& options, bool plugged = true) {
  const RegularizerMethod& method = regularizer_method("adaptive_gradient_gating");
  Weights leaves;
  for (const std::string& name : model.weights.names()) leaves.set(name, model.weights.at(name).detach().clone().set_requires_grad(true));
  Step step{0, 1, 0, Key::root(1), *model.family, leaves, {}, 1, false};
  ForwardPass pass{model.batch, 1, 0, false, leaves, {}, {}, {}, {}, {}, {}};
  const auto gating = method.make({*model.family, leaves, Key::root(1)}, method.options().resolve(options, "test"));
  if (plugged) gating->before_forward(step, pass);
  task_loss(model.family->head(), model.family->forward(pass.weights, model.batch, pass.options), model.batch).backward();
  Weights found;
  for (const std::string& name : leaves.names()) found.set(name, leaves.at(name).grad());
  return found;
}

TEST(AdaptiveGradientGating, IsThePlainGradient_WhereNoWordIsRare) {
  for (const SmallModel& model : {small_gpt2(), small_t5()}) {
    const Weights plain = gradients(model, {}, false), gated = gradients(model, {{"alpha", 0}});
    for (const std::string& name : plain.names())
      EXPECT_TRUE(at::allclose(gated.at(name), plain.at(name), 1e-4, 1e-6)) << model.name << ' ' << name;
  }
}

TEST(AdaptiveGradientGating, ChangesTheScoredMatrixAlone) {
  for (const SmallModel& model : {small_gpt2(), small_t5()}) {
    const Weights plain = gradients(model, {}, false), gated = gradients(model, {{"alpha", 1}});
    for (const std::string& name : plain.names())
      EXPECT_EQ(at::allclose(gated.at(name), plain.at(name), 1e-4, 1e-6), name != output_embeddings(*model.family)) << name;
  }
}

TEST(AdaptiveGradientGating, RefusesScoresByAnotherMatrix) {
  const SmallModel model = small_gpt2();
  const RegularizerMethod& method = regularizer_method("adaptive_gradient_gating");
  Weights leaves = model.weights;
  leaves.set("transformer.wte.weight", model.weights.at("transformer.wte.weight").detach().clone().set_requires_grad(true));
  Step step{0, 1, 0, Key::root(1), *model.family, leaves, {}, 1, false};
  ForwardPass pass{model.batch, 1, 0, false, leaves, {}, {}, {}, {}, {}, {}};
  const auto gating = method.make({*model.family, leaves, Key::root(1)}, method.options().resolve(json::object(), "test"));
  gating->before_forward(step, pass);
  pass.weights.set("transformer.wte.weight", leaves.at("transformer.wte.weight").flip({0}));
  EXPECT_THROW(model.family->forward(pass.weights, model.batch, pass.options), Error);
}

TEST(AdaptiveGradientGating, RefusesHeadsWithoutNextWords) { EXPECT_THROW(gradients(small_bert(), {}), Error); }

}  // namespace
}  // namespace tsrun::adaptive_gradient_gating
