#include "method.h"

#include "graphs.h"
#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/tune/word_statistics.h"

#include <optional>

namespace tsrun::laplacian {
namespace {

Normalisation normalisation_of(const std::string& name) {
  if (name == "none") return Normalisation::none;
  if (name == "words") return Normalisation::words;
  return name == "degree" ? Normalisation::degree : Normalisation::weights;
}

PluginState tensors_of(const SparseGraph& graph) {
  return {{"begin", at::tensor(graph.begin, at::kLong)},
          {"to", at::tensor(graph.to, at::kLong)},
          {"weight", at::tensor(graph.weight, at::kFloat)}};
}

template <class T>
std::vector<T> numbers_of(const at::Tensor& tensor) {
  const at::Tensor host = tensor.cpu().contiguous();
  const T* from = host.const_data_ptr<T>();
  return {from, from + host.numel()};
}

Graph graph_from(const PluginState& state) {
  SparseGraph graph{numbers_of<int64_t>(state.at("begin")), numbers_of<int64_t>(state.at("to")), numbers_of<float>(state.at("weight"))};
  return {std::make_shared<SparseGraph>(std::move(graph)), {}, 0};
}

class Laplacian final : public RowTerm {
 public:
  Laplacian(const MethodInputs& inputs, const Options& options)
      : RowTerm(inputs, options, "laplacian"),
        inputs_(inputs),
        options_(options),
        kind_(options.text("graph")),
        form_{options.text("sign") == "push", options.text("rows") == "unit", normalisation_of(options.text("normalisation"))},
        every_(options.integer("every")) {
    if (!of_words() && kind_ != "complete" && kind_ != "knn_current")
      user_error("laplacian: graph = \"{}\" joins words, and hidden_layer takes tokens; expected \"complete\" or \"knn_current\"", kind_);
    if (options.has("vectors") && kind_ != "knn_given")
      user_error("laplacian: 'vectors' with graph = \"{}\"; expected it with \"knn_given\" alone", kind_);
  }

  /// The graphs of text and of given vectors are made again; that of current vectors was made in the past.
  PluginState state() const override { return graph_ && kind_ == "knn_current" ? tensors_of(*graph_->sparse) : PluginState(); }
  void restore(const PluginState& state) override {
    if (state.contains("begin")) graph_ = graph_from(state);
  }
  nlohmann::json report() const override {
    nlohmann::json report = RowTerm::report();
    report["graph"] = kind_;
    if (graph_ && graph_->sparse) report["edges"] = graph_->sparse->entries() / 2;
    return report;
  }

 private:
  at::Tensor term(const at::Tensor& rows, const Step& step) override {
    if (!of_words()) return laplacian_term(rows, current(rows), form_);
    keep_current(rows, step);
    return laplacian_term(rows, *graph_, form_);
  }
  std::optional<double> add_gradient(const at::Tensor& rows, const Step& step, double factor, at::Tensor& gradient) override {
    keep_current(rows, step);
    if (!graph_->sparse) return std::nullopt;
    return add_laplacian_term(rows, *graph_, form_, factor, gradient);
  }

  /// The graph of this step; made again where it is due.
  void keep_current(const at::Tensor& rows, const Step& step) {
    const bool due = kind_ == "knn_current" && step.number % every_ == 0;
    if (!graph_ || due) graph_ = made(rows);
  }

  Graph current(const at::Tensor& rows) const {
    const at::NoGradGuard no_grad;
    if (kind_ == "complete") return complete_graph(rows.size(0));
    return nearest_graph(rows.detach(), options_.integer("neighbours"), graded());
  }
  bool graded() const { return options_.text("weights") == "graded"; }

  Graph made(const at::Tensor& rows) const {
    if (kind_ == "complete" || kind_ == "knn_current") return current(rows);
    const int64_t words = inputs_.origin.at(matrix()).size(0);
    if (kind_ == "knn_given") return current(of_kept(given_vectors(words)));
    if (inputs_.probe == nullptr) internal_error("laplacian: called without a probe");
    const Graph all = kind_ == "frequency" ? bucket_graph(token_counts(*inputs_.probe, words))
                                           : together_graph(pair_counts(*inputs_.probe, options_.integer("window")), words,
                                                            options_.integer("neighbours"), kind_ == "ppmi", graded());
    return kept().defined() ? among(all, kept()) : all;
  }

  at::Tensor given_vectors(int64_t words) const {
    if (options_.has("vectors")) return vectors_of(options_.text("vectors"), options_.has("tensor") ? options_.text("tensor") : "", words);
    return inputs_.origin.at(matrix()).detach();
  }
  at::Tensor of_kept(const at::Tensor& all) const { return kept().defined() ? all.index_select(0, kept().to(all.device())) : all; }

  MethodInputs inputs_;
  Options options_;
  std::string kind_;
  Form form_;
  int64_t every_;
  std::optional<Graph> graph_;
};

}  // namespace

OptionTable Method::options() const {
  OptionTable table = RowTerm::options();
  table.add({.name = "graph",
             .type = OptionType::choice,
             .fallback = "knn_given",
             .doc = "joined are all words, nearest neighbours in given vectors or in the current ones, words that stand together in the "
                    "training rows (by counts or by pointwise mutual information), or words of one frequency",
             .choices = {"complete", "knn_given", "knn_current", "cooccurrence", "ppmi", "frequency"}});
  table.add({.name = "sign",
             .type = OptionType::choice,
             .fallback = "pull",
             .doc = "neighbours are pulled together or pushed apart",
             .choices = {"pull", "push"}});
  table.add({.name = "neighbours",
             .type = OptionType::integer,
             .fallback = 10,
             .doc = "strongest edges of every word (not complete, frequency)",
             .minimum = 1});
  table.add({.name = "weights",
             .type = OptionType::choice,
             .fallback = "binary",
             .doc = "edges weigh 1, or their cosine, count or mutual information",
             .choices = {"binary", "graded"}});
  table.add({.name = "rows",
             .type = OptionType::choice,
             .fallback = "unit",
             .doc = "vectors divided by their norms, or as they are",
             .choices = {"unit", "raw"}});
  table.add({.name = "normalisation",
             .type = OptionType::choice,
             .fallback = "weights",
             .doc = "the sum is divided by that of all weights, by the square of the words, by nothing, or (degree) vectors by the roots "
                    "of their degrees and the sum by the words",
             .choices = {"weights", "words", "none", "degree"}});
  table.add(
      {.name = "every", .type = OptionType::integer, .fallback = 100, .doc = "knn_current: steps between new neighbours", .minimum = 1});
  table.add({.name = "vectors",
             .type = OptionType::text,
             .doc = "knn_given: a safetensors file with a vector for every word; else those before training"});
  table.add({.name = "tensor", .type = OptionType::text, .doc = "knn_given: the file's tensor; may be left out where there is one"});
  table.add({.name = "window",
             .type = OptionType::integer,
             .fallback = 2,
             .doc = "cooccurrence, ppmi: tokens between which two words stand together",
             .minimum = 1});
  return table;
}

Wants Method::wants(const Options& options) const {
  Wants wants = RowTerm::wants(options);
  wants.files = {"vectors"};
  return wants;
}

std::unique_ptr<Regularizer> Method::make(const MethodInputs& inputs, const Options& options) const {
  return std::make_unique<Laplacian>(inputs, options);
}

}  // namespace tsrun::laplacian
