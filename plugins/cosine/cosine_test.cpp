#include "support/finite_differences.h"
#include "tsrun/plugin_testing/delta.h"
#include "tsrun/plugin_testing/step_plugins.h"

#include "method.h"
#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/tune/word_statistics.h"
#include "unit/train/kinds.h"

#include <gtest/gtest.h>

namespace tsrun::cosine {
namespace {

using namespace plugin_testing;

at::Tensor mean_cosine(const at::Tensor& rows) { return cosine::mean_cosine(rows); }

const bool cases = add_regularizer_case("cosine", nlohmann::json::object()) && add_regularizer_case("cosine", {{"min_count", 1}}) &&
                   add_regularizer_case("cosine", {{"gamma", 3}, {"matrix", "output_embeddings"}}, {.words = true}) &&
                   add_regularizer_case("cosine", {{"hidden_layer", 1}}, {.batch_statistic = true});

/// Σ_{i≠j} x̂_i·x̂_j / N², pair by pair.
double over_pairs(const at::Tensor& rows) {
  const int64_t count = rows.size(0);
  double sum = 0;
  for (int64_t i = 0; i < count; ++i)
    for (int64_t j = 0; j < count; ++j)
      if (i != j) sum += (rows[i].dot(rows[j]) / (rows[i].norm() * rows[j].norm())).item<double>();
  return sum / static_cast<double>(count * count);
}

TEST(Cosine, IsTheMeanOverPairs) {
  const at::Tensor rows = drawn_numbers({7, 3}, 1);
  EXPECT_NEAR(mean_cosine(rows).item<double>(), over_pairs(rows), 1e-14);
  EXPECT_NEAR(mean_cosine(5 * rows).item<double>(), over_pairs(rows), 1e-14);
  EXPECT_NEAR(mean_cosine(rows.to(at::kFloat)).item<double>(), over_pairs(rows), 1e-6);
}

TEST(Cosine, HasTheGradientOfDifferences) {
  expect_gradient_of_differences([](const at::Tensor& x) { return 3 * mean_cosine(x); }, drawn_numbers({6, 4}, 2));
}

/// Columns that lie apart go through LibTorch, as on a GPU.
TEST(Cosine, IsTheSameOfStridedRows) {
  at::Tensor rows = drawn_numbers({7, 3}, 6);
  rows[4].zero_();
  const at::Tensor strided = rows.t().contiguous().t();
  ASSERT_FALSE(strided.is_contiguous());
  EXPECT_NEAR(mean_cosine(strided).item<double>(), mean_cosine(rows).item<double>(), 1e-14);
  EXPECT_TRUE(at::allclose(gradient_of(mean_cosine, strided), gradient_of(mean_cosine, rows), 1e-12, 1e-14));
}

TEST(Cosine, LeavesZeroRowsOut) {
  at::Tensor rows = drawn_numbers({5, 3}, 3);
  rows[2].zero_();
  const at::Tensor others = rows.index_select(0, at::tensor(std::vector<int64_t>{0, 1, 3, 4}));
  EXPECT_NEAR(mean_cosine(rows).item<double>() * 25, over_pairs(others) * 16, 1e-13);
  const at::Tensor gradient = gradient_of(mean_cosine, rows);
  EXPECT_EQ(gradient[2].abs().max().item<double>(), 0);
  EXPECT_TRUE(at::allclose(gradient[3] * 25, gradient_of(mean_cosine, others)[2] * 16));
}

/// One half of the words at +u, the other at −u: rank one, and yet the least value that any rows can have.
TEST(Cosine, IsAtItsMinimum_OnOneLine) {
  const at::Tensor direction = drawn_numbers({1, 8}, 4);
  at::Tensor rows = direction.repeat({10, 1});
  rows.narrow(0, 0, 5).neg_();
  EXPECT_NEAR(mean_cosine(rows).item<double>(), -0.1, 1e-15);
  EXPECT_LT(gradient_of(mean_cosine, rows).abs().max().item<double>(), 1e-15);
  EXPECT_LT(mean_cosine(rows).item<double>(), mean_cosine(drawn_numbers({10, 8}, 5)).item<double>());
}

double term_of(const SmallModel& model, const nlohmann::json& given) {
  const RegularizerMethod& method = regularizer_method("cosine");
  MadeUpProbe probe(*model.family, 4);
  Weights leaves;
  for (const std::string& name : model.weights.names()) leaves.set(name, model.weights.at(name).detach().set_requires_grad(true));
  MethodInputs inputs{*model.family, leaves, Key::root(1)};
  inputs.probe = &probe;
  Step step{0, 1, 0, Key::root(1), *model.family, leaves, {}, 1, false};
  return method.make(inputs, method.options().resolve(given, "test"))->step_loss(step).item<double>();
}

TEST(Cosine, TakesTheScoredWords_OrThoseThatAreRead) {
  const SmallModel bert = small_bert(), gpt2 = small_gpt2(), t5 = small_t5();
  const auto expected = [](const SmallModel& model, const std::string& name) { return mean_cosine(model.weights.at(name)).item<double>(); };
  EXPECT_FLOAT_EQ(term_of(bert, {}), expected(bert, "bert.embeddings.word_embeddings.weight"));
  EXPECT_FLOAT_EQ(term_of(gpt2, {{"gamma", 2}}), 2 * expected(gpt2, "transformer.wte.weight"));
  EXPECT_FLOAT_EQ(term_of(t5, {}), expected(t5, "shared.weight"));
  EXPECT_THROW(term_of(bert, {{"matrix", "output_embeddings"}}), Error);
}

/// The made-up probe's rows hold the ids 0 to 4: 0 once, 1 to 3 three times, 4 twice.
TEST(Cosine, TakesWordsByTheirCounts) {
  const SmallModel bert = small_bert();
  const at::Tensor& all = bert.weights.at(input_embeddings(*bert.family));
  EXPECT_FLOAT_EQ(term_of(bert, {{"min_count", 1}}), mean_cosine(all.narrow(0, 0, 5)).item<double>());
  EXPECT_FLOAT_EQ(term_of(bert, {{"min_count", 3}}), mean_cosine(all.narrow(0, 1, 3)).item<double>());
  EXPECT_FLOAT_EQ(term_of(bert, {{"max_count", 0}}), mean_cosine(all.narrow(0, 5, all.size(0) - 5)).item<double>());
  EXPECT_THROW(term_of(bert, {{"min_count", 4}}), Error);
  EXPECT_THROW(term_of(bert, {{"min_count", 1}, {"hidden_layer", 1}}), Error);
  EXPECT_THROW(term_of(bert, {{"hidden_layer", 3}}), Error);
}

/// Where a leaf of the whole matrix has a gradient already, the term adds its own to it, as backward would.
TEST(Cosine, AddsItsGradientInPlace) {
  const SmallModel bert = small_bert();
  const std::string words = input_embeddings(*bert.family);
  const RegularizerMethod& method = regularizer_method("cosine");
  const auto gradient_with = [&](bool in_place) {
    MadeUpProbe probe(*bert.family, 4);
    at::Tensor leaf = bert.weights.at(words).detach().clone().set_requires_grad(true);
    if (in_place) leaf.mutable_grad() = at::full_like(leaf, 0.5).detach();
    Weights leaves;
    for (const std::string& name : bert.weights.names()) leaves.set(name, name == words ? leaf : bert.weights.at(name));
    MethodInputs inputs{*bert.family, leaves, Key::root(1)};
    inputs.probe = &probe;
    Step step{0, 1, 0, Key::root(1), *bert.family, leaves, {}, 1, false};
    const at::Tensor loss = method.make(inputs, method.options().resolve({{"gamma", 3}}, "test"))->step_loss(step);
    EXPECT_FLOAT_EQ(loss.item<float>(), 3 * mean_cosine(leaf.detach()).item<float>());
    EXPECT_EQ(loss.requires_grad(), !in_place);
    if (!in_place) loss.backward();
    return in_place ? leaf.grad() - 0.5 : leaf.grad();
  };
  const at::Tensor expected = gradient_with(false);
  EXPECT_GT(expected.abs().max().item<double>(), 1e-4);
  EXPECT_TRUE(at::allclose(gradient_with(true), expected, 1e-4, 1e-6));
}

TEST(Cosine, SpreadsTheWordsOfATraining) {
  const toy::TaskModel gpt2 = toy::with_gpt2(toy::documents());
  const auto mean_after = [&](double gamma) {
    const toy::Scratch scratch;
    TrainJob job = toy::job(gpt2.model, gpt2.task, {{"max_steps", 20}, {"batch_size", 8}, {"max_length", 24}}, scratch.path());
    const RegularizerMethod& method = regularizer_method("cosine");
    const Options options = method.options().resolve({{"gamma", gamma}}, "test");
    job.plugins.push_back({"cosine", {}, method.wants(options), {}, [&](const MethodInputs& in) { return method.make(in, options); }});
    return mean_cosine(train(std::move(job)).last_weights.at("transformer.wte.weight")).item<double>();
  };
  EXPECT_LT(mean_after(100), mean_after(0) - 1e-3);
}

}  // namespace
}  // namespace tsrun::cosine
