#pragma once

#include <cstdint>
#include <vector>

namespace tsrun {

/// An undirected graph with weights: a symmetric matrix A without negative entries and with a zero diagonal, as compressed rows.
struct SparseGraph {
  std::vector<int64_t> begin = {0};  ///< entries of node i are [begin[i], begin[i + 1]); nodes + 1 numbers
  std::vector<int64_t> to;           ///< ascending in every row
  std::vector<float> weight;

  int64_t nodes() const { return static_cast<int64_t>(begin.size()) - 1; }
  int64_t entries() const { return static_cast<int64_t>(to.size()); }  ///< twice the edges
  std::vector<double> degrees() const;                                 ///< sums of rows
  double total() const;                                                ///< Σ_ij A_ij
};

/// One directed edge.
struct Edge {
  int64_t from = 0, to = 0;
  float weight = 1;
};
/// The graph with an edge wherever one of `edges` joins two nodes, in either direction; of several the largest weight. Loops are left out.
/// @throws Error(internal) for a node that is not in [0, nodes)
SparseGraph symmetric_graph(int64_t nodes, std::vector<Edge> edges);

/// E = Σ_ij A_ij ‖y_i − y_j‖² / 2 = tr(Yᵀ L Y), L = diag(A·1) − A, of y_i = scale_i x_i, and `factor` times its gradient by x is added to
/// `gradient`. Where `inverse_norm` is not null, scale_i is c_i / ‖x_i‖ for some constant c_i, and the gradient goes through the norm;
/// `inverse_norm[i]` is 1 / ‖x_i‖ (0 of a zero row, which then has no gradient). `x` and `gradient` are [nodes, width]. The sum is the same
/// for any number of threads.
double laplacian_energy(const SparseGraph& graph, const float* x, int64_t width, const float* scale, const float* inverse_norm,
                        double factor, float* gradient);
double laplacian_energy(const SparseGraph& graph, const double* x, int64_t width, const double* scale, const double* inverse_norm,
                        double factor, double* gradient);

}  // namespace tsrun
