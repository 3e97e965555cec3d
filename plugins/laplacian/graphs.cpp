#include "graphs.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/model/tensors.h"
#include "tsrun/tune/word_statistics.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace tsrun::laplacian {
namespace {

Graph of_edges(int64_t nodes, std::vector<Edge> edges) {
  return {std::make_shared<SparseGraph>(symmetric_graph(nodes, std::move(edges))), {}, 0};
}

/// The first `count` of `edges` by weight, then by id.
void append_strongest(std::vector<Edge> edges, int64_t count, bool graded, std::vector<Edge>& to) {
  const size_t kept = std::min(edges.size(), static_cast<size_t>(count));
  std::partial_sort(edges.begin(), edges.begin() + static_cast<std::ptrdiff_t>(kept), edges.end(),
                    [](const Edge& a, const Edge& b) { return a.weight != b.weight ? a.weight > b.weight : a.to < b.to; });
  for (size_t i = 0; i < kept; ++i) to.push_back({edges[i].from, edges[i].to, graded ? edges[i].weight : 1});
}

}  // namespace

Graph nearest_graph(const at::Tensor& rows, int64_t neighbours, bool graded) {
  const int64_t nodes = rows.size(0), k = std::min(neighbours, nodes - 1);
  std::vector<Edge> edges;
  if (k < 1) return of_edges(nodes, {});
  const NearestRows nearest = nearest_rows(rows, k);
  const int64_t* ids = nearest.ids.const_data_ptr<int64_t>();
  const float* cosines = nearest.cosines.const_data_ptr<float>();
  edges.reserve(static_cast<size_t>(2 * nodes * k));
  for (int64_t i = 0; i < nodes * k; ++i)
    if (!graded || cosines[i] > 0) edges.push_back({i / k, ids[i], graded ? cosines[i] : 1});
  return of_edges(nodes, std::move(edges));
}

PairCounts pair_counts(Probe& probe, int64_t window) {
  PairCounts counts;
  for (int64_t row = 0; row < probe.rows(); ++row)
    for (const auto& text : probe.ids(row))
      for (size_t i = 0; i < text.size(); ++i)
        for (size_t j = i + 1; j < std::min(text.size(), i + 1 + static_cast<size_t>(window)); ++j) ++counts[std::minmax(text[i], text[j])];
  return counts;
}

Graph together_graph(const PairCounts& counts, int64_t words, int64_t neighbours, bool pointwise, bool graded) {
  std::vector<double> sums(static_cast<size_t>(words));
  double all = 0;
  for (const auto& [pair, count] : counts)  // twice a pair of a word with itself too: both places
    for (const int64_t id : {pair.first, pair.second})
      sums[static_cast<size_t>(id)] += static_cast<double>(count), all += static_cast<double>(count);
  std::vector<std::vector<Edge>> by_word(static_cast<size_t>(words));
  for (const auto& [pair, count] : counts) {
    if (pair.first == pair.second) continue;
    const auto [a, b] = pair;
    const double both = static_cast<double>(count);
    const double weight = pointwise ? std::log(both * all / (sums[static_cast<size_t>(a)] * sums[static_cast<size_t>(b)])) : both;
    if (weight <= 0) continue;
    by_word[static_cast<size_t>(a)].push_back({a, b, static_cast<float>(weight)});
    by_word[static_cast<size_t>(b)].push_back({b, a, static_cast<float>(weight)});
  }
  std::vector<Edge> edges;
  for (auto& own : by_word) append_strongest(std::move(own), neighbours, graded, edges);
  return of_edges(words, std::move(edges));
}

Graph bucket_graph(const at::Tensor& counts) {
  const at::Tensor buckets = doubling_buckets(counts);
  return {nullptr, buckets, buckets.max().item<int64_t>() + 1};
}

Graph among(const Graph& graph, const at::Tensor& kept) {
  if (!graph.sparse) return {nullptr, graph.cluster.index_select(0, kept), graph.clusters};
  std::vector<int64_t> place(static_cast<size_t>(graph.nodes()), -1);
  for (int64_t i = 0; i < kept.size(0); ++i) place[static_cast<size_t>(kept.const_data_ptr<int64_t>()[i])] = i;
  std::vector<Edge> edges;
  for (size_t node = 0; node < place.size(); ++node)
    for (int64_t e = graph.sparse->begin[node]; e < graph.sparse->begin[node + 1]; ++e) {
      const int64_t to = place[static_cast<size_t>(graph.sparse->to[static_cast<size_t>(e)])];
      if (place[node] >= 0 && to >= 0) edges.push_back({place[node], to, graph.sparse->weight[static_cast<size_t>(e)]});
    }
  return of_edges(kept.size(0), std::move(edges));
}

at::Tensor vectors_of(const std::filesystem::path& file, const std::string& tensor, int64_t words) {
  const auto tensors = map_tensors(file);
  if (tensor.empty() && tensors.size() != 1)
    user_error("laplacian: {} has {} tensors; expected one, or option 'tensor' with its name", file.string(), tensors.size());
  const auto found = tensor.empty() ? tensors.begin() : tensors.find(tensor);
  if (found == tensors.end()) user_error("laplacian: {} has no tensor '{}'", file.string(), tensor);
  if (found->second.dim() != 2 || found->second.size(0) != words)
    user_error("laplacian: '{}' of {} has {} rows in {} dimensions; expected a matrix with a row for each of {} words", found->first,
               file.string(), found->second.dim() > 0 ? found->second.size(0) : 0, found->second.dim(), words);
  return found->second.to(at::kFloat);
}

}  // namespace tsrun::laplacian
