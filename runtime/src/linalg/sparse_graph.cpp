#include "tsrun/linalg/sparse_graph.h"

#include "linalg/wide_dot.h"
#include "tsrun/base/dispatch.h"
#include "tsrun/base/error.h"
#include "tsrun/base/parallel.h"

#include <algorithm>
#include <numeric>

namespace tsrun {
namespace {

/// to += factor * from
struct AddScaled {
  template <int W, class T>
  TSRUN_INLINE static void run(T factor, const T* __restrict from, T* __restrict to, int64_t count) {
    for (int64_t i = 0; i < count; ++i) to[i] += factor * from[i];
  }
};

/// Rows of neighbours lie anywhere, so they are asked for two edges ahead.
template <class T>
TSRUN_INLINE void ask_for(const T* row, int64_t width) {
  for (int64_t i = 0; i < width; i += static_cast<int64_t>(64 / sizeof(T))) __builtin_prefetch(row + i);
}

/// Row `node` of L Y into `ly`, then its share of E, then the gradient.
struct EnergyOfNode {
  template <int W, class T>
  TSRUN_INLINE static void run(const SparseGraph& graph, int64_t node, const T* x, int64_t width, const T* scale, const T* inverse_norm,
                               double factor, T* __restrict ly, T* gradient, double& energy) {
    const T* __restrict own = x + node * width, own_scale = scale[node];
    std::fill_n(ly, width, T(0));
    T degree = 0;
    const int64_t all = graph.entries();
    for (int64_t e = graph.begin[static_cast<size_t>(node)]; e < graph.begin[static_cast<size_t>(node) + 1]; ++e) {
      if (e + 2 < all) ask_for(x + graph.to[static_cast<size_t>(e) + 2] * width, width);
      const int64_t other = graph.to[static_cast<size_t>(e)];
      const T weight = graph.weight[static_cast<size_t>(e)];
      degree += weight;
      AddScaled::template run<W>(-weight * scale[other], x + other * width, ly, width);
    }
    AddScaled::template run<W>(degree * own_scale, own, ly, width);
    const double along = linalg::wide_dot(own, ly, width);
    energy = own_scale * along;
    const T through = inverse_norm ? inverse_norm[node] * inverse_norm[node] * static_cast<T>(along) : T(0);
    const T twice = static_cast<T>(2 * factor) * own_scale;
    T* __restrict out = gradient + node * width;
    for (int64_t i = 0; i < width; ++i) out[i] += twice * (ly[i] - through * own[i]);
  }
};

template <class T>
double energy_of(const SparseGraph& graph, const T* x, int64_t width, const T* scale, const T* inverse_norm, double factor, T* gradient) {
  std::vector<double> shares(static_cast<size_t>(graph.nodes()));
  parallel_for(graph.nodes(), 64, [&](int64_t begin, int64_t end) {
    std::vector<T> ly(static_cast<size_t>(width));
    for (int64_t node = begin; node < end; ++node)
      kernel::run<EnergyOfNode>(graph, node, x, width, scale, inverse_norm, factor, ly.data(), gradient, shares[static_cast<size_t>(node)]);
  });
  return std::accumulate(shares.begin(), shares.end(), 0.0);
}

}  // namespace

std::vector<double> SparseGraph::degrees() const {
  std::vector<double> sums(static_cast<size_t>(nodes()));
  for (size_t node = 0; node < sums.size(); ++node)
    sums[node] = std::accumulate(weight.begin() + begin[node], weight.begin() + begin[node + 1], 0.0);
  return sums;
}

double SparseGraph::total() const { return std::accumulate(weight.begin(), weight.end(), 0.0); }

SparseGraph symmetric_graph(int64_t nodes, std::vector<Edge> edges) {
  const size_t given = edges.size();
  for (size_t i = 0; i < given; ++i) {
    const Edge edge = edges[i];
    if (std::min(edge.from, edge.to) < 0 || std::max(edge.from, edge.to) >= nodes)
      internal_error("a graph of {} nodes with an edge from {} to {}", nodes, edge.from, edge.to);
    edges.push_back({edge.to, edge.from, edge.weight});
  }
  std::sort(edges.begin(), edges.end(), [](const Edge& a, const Edge& b) {
    return a.from != b.from ? a.from < b.from : a.to != b.to ? a.to < b.to : a.weight > b.weight;
  });
  SparseGraph graph;
  graph.begin.assign(static_cast<size_t>(nodes) + 1, 0);
  for (size_t i = 0; i < edges.size(); ++i) {
    const Edge& edge = edges[i];
    if (edge.from == edge.to || (i > 0 && edges[i - 1].from == edge.from && edges[i - 1].to == edge.to)) continue;
    graph.to.push_back(edge.to);
    graph.weight.push_back(edge.weight);
    ++graph.begin[static_cast<size_t>(edge.from) + 1];
  }
  std::partial_sum(graph.begin.begin(), graph.begin.end(), graph.begin.begin());
  return graph;
}

double laplacian_energy(const SparseGraph& graph, const float* x, int64_t width, const float* scale, const float* inverse_norm,
                        double factor, float* gradient) {
  return energy_of(graph, x, width, scale, inverse_norm, factor, gradient);
}

double laplacian_energy(const SparseGraph& graph, const double* x, int64_t width, const double* scale, const double* inverse_norm,
                        double factor, double* gradient) {
  return energy_of(graph, x, width, scale, inverse_norm, factor, gradient);
}

}  // namespace tsrun
