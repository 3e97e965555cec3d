#pragma once

#include "tsrun/linalg/sparse_graph.h"

#include <ATen/core/Tensor.h>

#include <memory>

namespace tsrun::laplacian {

/// A graph over N rows: sparse, or complete within clusters.
struct Graph {
  std::shared_ptr<const SparseGraph> sparse;
  at::Tensor cluster;  ///< int64 [N], number of each row's cluster, from 0; undefined for a sparse graph
  int64_t clusters = 0;

  int64_t nodes() const { return sparse ? sparse->nodes() : cluster.size(0); }
  at::Tensor degrees() const;  ///< float64 [N], on the host
};
Graph complete_graph(int64_t nodes);

enum class Normalisation {
  none,     ///< Z = 1
  words,    ///< Z = N²: the complete graph's, up to 1/N
  weights,  ///< Z = Σ A: a mean over the graph's edges
  degree    ///< rows are divided by the roots of their degrees, Z = N: the symmetrically normalised Laplacian
};
struct Form {
  bool push = false;  ///< s = −1
  bool unit = true;   ///< x̂ = x / ‖x‖ in the place of x; zero rows stay zero
  Normalisation normalisation = Normalisation::weights;
};

/// s/Z · Σ_ij A_ij ‖x_i − x_j‖² over ordered pairs of `rows` [N, width], float32 or float64: in time linear in the edges, or in N for
/// clusters. @returns a scalar, 0 for a graph without edges
at::Tensor laplacian_term(const at::Tensor& rows, const Graph& graph, const Form& form);
/// The same number of a sparse graph, without autograd, on the host; `factor` times its gradient is added to `gradient`, [N, width].
double add_laplacian_term(const at::Tensor& rows, const Graph& graph, const Form& form, double factor, at::Tensor& gradient);

}  // namespace tsrun::laplacian
