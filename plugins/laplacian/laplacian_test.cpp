#include "support/finite_differences.h"
#include "support/temporary_folder.h"
#include "tsrun/plugin_testing/delta.h"
#include "tsrun/plugin_testing/step_plugins.h"

#include "graphs.h"
#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/model/tensors.h"
#include "tsrun/tune/word_statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace tsrun::laplacian {
namespace {

using namespace plugin_testing;

using namespace laplacian;  // NOLINT: of this plugin
using nlohmann::json;

const bool cases =
    add_regularizer_case("laplacian", {{"graph", "complete"}, {"sign", "push"}}) &&
    add_regularizer_case("laplacian", {{"neighbours", 3}}) &&
    add_regularizer_case("laplacian", {{"graph", "knn_current"}, {"every", 3}, {"neighbours", 2}, {"weights", "graded"}}) &&
    add_regularizer_case("laplacian", {{"graph", "cooccurrence"}, {"neighbours", 2}, {"normalisation", "words"}, {"rows", "raw"}}) &&
    add_regularizer_case("laplacian", {{"graph", "ppmi"}, {"weights", "graded"}, {"normalisation", "degree"}, {"min_count", 1}}) &&
    add_regularizer_case("laplacian", {{"graph", "frequency"}, {"sign", "push"}}) &&
    add_regularizer_case("laplacian", {{"graph", "knn_current"}, {"hidden_layer", 1}, {"neighbours", 2}}, {.batch_statistic = true});

Graph sparse(int64_t nodes, std::vector<Edge> edges) {
  return {std::make_shared<SparseGraph>(symmetric_graph(nodes, std::move(edges))), {}, 0};
}

/// A of a graph, float64.
at::Tensor matrix_of(const Graph& graph) {
  const int64_t nodes = graph.nodes();
  if (!graph.sparse) {
    const at::Tensor same = graph.cluster.unsqueeze(0) == graph.cluster.unsqueeze(1);
    return same.to(at::kDouble) - at::eye(nodes, at::kDouble);
  }
  at::Tensor a = at::zeros({nodes, nodes}, at::kDouble);
  for (int64_t i = 0; i < nodes; ++i)
    for (int64_t e = graph.sparse->begin[static_cast<size_t>(i)]; e < graph.sparse->begin[static_cast<size_t>(i) + 1]; ++e)
      a[i][graph.sparse->to[static_cast<size_t>(e)]] = static_cast<double>(graph.sparse->weight[static_cast<size_t>(e)]);
  return a;
}

/// Pair by pair.
double over_pairs(const at::Tensor& rows, const Graph& graph, const Form& form) {
  const at::Tensor a = matrix_of(graph), degrees = a.sum(1);
  const int64_t nodes = graph.nodes();
  at::Tensor y = form.unit ? unit_rows(rows) : rows;
  const bool by_degree = form.normalisation == Normalisation::degree;
  if (by_degree) y = y * at::where(degrees > 0, degrees.rsqrt(), at::zeros_like(degrees)).unsqueeze(1);
  double sum = 0;
  for (int64_t i = 0; i < nodes; ++i)
    for (int64_t j = 0; j < nodes; ++j) sum += a[i][j].item<double>() * (y[i] - y[j]).square().sum().item<double>();
  const std::map<Normalisation, double> z = {{Normalisation::none, 1},
                                             {Normalisation::words, static_cast<double>(nodes * nodes)},
                                             {Normalisation::weights, a.sum().item<double>()},
                                             {Normalisation::degree, static_cast<double>(nodes)}};
  return (form.push ? -1 : 1) * sum / z.at(form.normalisation);
}

std::vector<Graph> some_graphs() {
  return {complete_graph(7),
          {nullptr, at::tensor(std::vector<int64_t>{0, 2, 0, 0, 2, 1, 2}), 3},
          sparse(7, {{0, 1, 1}, {1, 2, 0.5F}, {5, 2, 2}, {2, 0, 1.5F}, {3, 5, 1}})};  // nodes 4 and 6 are alone
}

void for_each_form(const std::function<void(const Graph&, const Form&)>& check) {
  using enum Normalisation;
  for (const Graph& graph : some_graphs())
    for (const bool push : {true, false})
      for (const bool unit : {true, false})
        for (const Normalisation normalisation : {none, words, weights, degree}) check(graph, {push, unit, normalisation});
}

TEST(Laplacian, IsTheSumOverPairs_InEveryForm) {
  const at::Tensor rows = drawn_numbers({7, 3}, 1);
  for_each_form([&](const Graph& graph, const Form& form) {
    const double expected = over_pairs(rows, graph, form);
    EXPECT_NEAR(laplacian_term(rows, graph, form).item<double>(), expected, 1e-12);
    EXPECT_NEAR(laplacian_term(rows.to(at::kFloat), graph, form).item<double>(), expected, 1e-5 * (1 + std::abs(expected)));
  });
}

TEST(Laplacian, HasTheGradientOfDifferences_InEveryForm) {
  const at::Tensor rows = drawn_numbers({7, 3}, 2);
  for_each_form([&](const Graph& graph, const Form& form) {
    expect_gradient_of_differences([&](const at::Tensor& x) { return 2 * laplacian_term(x, graph, form); }, rows, 1e-7);
  });
}

TEST(Laplacian, AddsAMultipleOfItsGradient) {
  const at::Tensor rows = drawn_numbers({7, 3}, 3);
  for_each_form([&](const Graph& graph, const Form& form) {
    if (!graph.sparse) return;
    at::Tensor sum = at::ones_like(rows);
    EXPECT_NEAR(add_laplacian_term(rows, graph, form, -2, sum), laplacian_term(rows, graph, form).item<double>(), 1e-12);
    const at::Tensor gradient = gradient_of([&](const at::Tensor& x) { return laplacian_term(x, graph, form); }, rows);
    EXPECT_TRUE(at::allclose(sum, 1 - 2 * gradient, 1e-10, 1e-12));
  });
}

TEST(Laplacian, LeavesZeroRowsWithoutGradient) {
  at::Tensor rows = drawn_numbers({7, 3}, 3);
  rows[2].zero_();
  for (const Graph& graph : some_graphs()) {
    const at::Tensor gradient = gradient_of([&](const at::Tensor& x) { return laplacian_term(x, graph, {}); }, rows);
    EXPECT_EQ(gradient[2].abs().max().item<double>(), 0);
    EXPECT_GT(gradient[0].abs().max().item<double>(), 0);
  }
}

/// Σ_ij ‖x̂_i − x̂_j‖² = 2N² − 2‖Σ x̂‖², and the cosine term is (‖Σ x̂‖² − N) / N².
TEST(Laplacian, IsCosineRegularisation_PushedOnTheCompleteGraph) {
  const at::Tensor rows = drawn_numbers({9, 4}, 4);
  const auto cosine = [](const at::Tensor& x) { return (unit_rows(x).sum(0).square().sum() - x.size(0)) / (x.size(0) * x.size(0)); };
  const Form push{true, true, Normalisation::words};
  std::vector<Edge> all;
  for (int64_t i = 0; i < 9; ++i)
    for (int64_t j = 0; j < i; ++j) all.push_back({i, j});
  for (const Graph& graph : {complete_graph(9), sparse(9, all)}) {
    const auto laplacian = [&](const at::Tensor& x) { return laplacian_term(x, graph, push); };
    EXPECT_NEAR(laplacian(rows).item<double>(), 2 * cosine(rows).item<double>() + 2.0 / 9 - 2, 1e-14);
    EXPECT_TRUE(at::allclose(gradient_of(laplacian, rows), 2 * gradient_of(cosine, rows), 0, 1e-14));
  }
}

TEST(LaplacianGraph, JoinsNearestNeighbours) {
  const at::Tensor rows = drawn_numbers({40, 5}, 5), unit = unit_rows(rows);
  const at::Tensor cosines = at::mm(unit, unit.t());
  const at::Tensor a = matrix_of(nearest_graph(rows, 3, false)), graded = matrix_of(nearest_graph(rows, 3, true));
  const at::Tensor nearest = std::get<1>((cosines - 3 * at::eye(40, at::kDouble)).topk(3));
  at::Tensor expected = at::zeros({40, 40}, at::kDouble).scatter(1, nearest, 1);
  expected = at::maximum(expected, expected.t());
  EXPECT_TRUE(at::equal(a, expected));
  EXPECT_TRUE(at::allclose(graded, expected * cosines.clamp_min(0), 0, 1e-6));
}

/// Answers with texts of its own.
class Texts final : public Probe {
 public:
  explicit Texts(std::vector<std::vector<std::vector<int64_t>>> rows) : rows_(std::move(rows)) {}
  int64_t rows() const override { return static_cast<int64_t>(rows_.size()); }
  std::vector<std::vector<int64_t>> ids(int64_t row) override { return rows_.at(static_cast<size_t>(row)); }
  HiddenStates hidden(const Weights&, std::span<const int64_t>, int) override { return {}; }
  LabelStates label_states(const Weights&, std::span<const int64_t>) override { return {}; }
  LossAndGradient loss_and_gradient(const Weights&, std::span<const int64_t>, std::optional<Key>) override { return {}; }

 private:
  std::vector<std::vector<std::vector<int64_t>>> rows_;
};

TEST(LaplacianGraph, CountsPairsWithinTheWindow_AndATextAlone) {
  Texts texts({{{0, 1, 2, 0}}, {{3}, {1, 1}}});
  EXPECT_EQ(pair_counts(texts, 1), (PairCounts{{{0, 1}, 1}, {{1, 2}, 1}, {{0, 2}, 1}, {{1, 1}, 1}}));
  EXPECT_EQ(pair_counts(texts, 2), (PairCounts{{{0, 1}, 2}, {{1, 2}, 1}, {{0, 2}, 2}, {{1, 1}, 1}}));
}

/// Symmetric counts: c_01 = 6, c_02 = 1, c_22 = 2·2; sums 7, 6 and 5; 18 in all.
TEST(LaplacianGraph, WeighsByCountsOrMutualInformation) {
  const PairCounts counts = {{{0, 1}, 6}, {{0, 2}, 1}, {{2, 2}, 2}};
  const at::Tensor by_count = matrix_of(together_graph(counts, 4, 5, false, true)),
                   binary = matrix_of(together_graph(counts, 4, 1, false, false)),
                   pointwise = matrix_of(together_graph(counts, 4, 5, true, true));
  EXPECT_EQ(by_count[0][1].item<double>(), 6);
  EXPECT_EQ(by_count[2][0].item<double>(), 1);
  EXPECT_EQ(binary.sum().item<double>(), 4);  // word 2 brings its edge to 0, of which it is the weaker one
  EXPECT_NEAR(pointwise[1][0].item<double>(), std::log(6 * 18 / (7.0 * 6)), 1e-6);
  EXPECT_EQ(pointwise[0][2].item<double>(), 0);  // 18 / (7 · 5) < 1
}

TEST(LaplacianGraph, JoinsWordsOfOneFrequency) {
  const Graph graph = bucket_graph(at::tensor(std::vector<int64_t>{0, 5, 1, 0, 4, 7, 8}, at::kLong));
  const at::Tensor a = matrix_of(graph);
  EXPECT_EQ(a[0][3].item<double>(), 1);
  EXPECT_EQ(a[1][4].item<double>() + a[4][5].item<double>(), 2);
  EXPECT_EQ(a.sum().item<double>(), 2 + 6);
}

TEST(LaplacianGraph, KeepsEdgesAmongTheWordsThatAreKept) {
  const at::Tensor kept = at::tensor(std::vector<int64_t>{0, 2, 5}, at::kLong);
  for (const Graph& graph : some_graphs()) {
    const at::Tensor expected = matrix_of(graph).index_select(0, kept).index_select(1, kept);
    EXPECT_TRUE(at::equal(matrix_of(among(graph, kept)), expected));
  }
}

TEST(LaplacianGraph, ReadsVectorsFromAFile) {
  const testing::TemporaryFolder folder;
  const at::Tensor vectors = drawn_numbers({6, 3}, 8).to(at::kFloat);
  write_tensors(folder.path() / "one.safetensors", {{"glove", vectors}});
  write_tensors(folder.path() / "two.safetensors", {{"a", vectors}, {"b", vectors.narrow(0, 0, 5)}});
  EXPECT_TRUE(at::equal(vectors_of(folder.path() / "one.safetensors", "", 6), vectors));
  EXPECT_TRUE(at::equal(vectors_of(folder.path() / "two.safetensors", "a", 6), vectors));
  for (const char* name : {"", "b", "c"}) EXPECT_THROW(vectors_of(folder.path() / "two.safetensors", name, 6), Error) << name;
}

double term_at(Regularizer& term, const SmallModel& model, int64_t number, const at::Tensor& value) {
  Weights weights = model.weights;
  weights.set("bert.embeddings.word_embeddings.weight", value.detach().clone().set_requires_grad(true));
  Step step{number, 9, 0, Key::root(1), *model.family, weights, {}, 1, false};
  return term.step_loss(step).item<double>();
}

/// The graph of current vectors is that of its last refresh, also in another process.
TEST(Laplacian, KeepsItsGraphBetweenRefreshes) {
  const SmallModel model = small_bert();
  const RegularizerMethod& method = regularizer_method("laplacian");
  const Options options = method.options().resolve({{"graph", "knn_current"}, {"every", 2}, {"neighbours", 2}}, "test");
  const auto made = [&] { return method.make({*model.family, model.weights, Key::root(1)}, options); };
  const auto first = made(), second = made();
  const at::Tensor before = model.weights.at("bert.embeddings.word_embeddings.weight");
  const at::Tensor after = drawn_numbers(before.sizes().vec(), 7).to(at::kFloat);
  const double of_old = laplacian_term(after, nearest_graph(before, 2, false), {}).item<double>();
  const double of_new = laplacian_term(after, nearest_graph(after, 2, false), {}).item<double>();
  ASSERT_NE(of_old, of_new);
  term_at(*first, model, 0, before);
  EXPECT_EQ(term_at(*first, model, 1, after), of_old);
  second->restore(first->state());
  EXPECT_EQ(term_at(*second, model, 1, after), of_old);
  EXPECT_EQ(term_at(*second, model, 2, after), of_new);
}

TEST(Laplacian, RefusesGraphsOfWordsOverTokens_AndVectorsWithoutUse) {
  const SmallModel model = small_bert();
  const RegularizerMethod& method = regularizer_method("laplacian");
  for (const json& given : {json{{"hidden_layer", 1}}, json{{"graph", "complete"}, {"vectors", "x.safetensors"}}})
    EXPECT_THROW(method.make({*model.family, model.weights, Key::root(1)}, method.options().resolve(given, "test")), Error) << given;
}

}  // namespace
}  // namespace tsrun::laplacian
