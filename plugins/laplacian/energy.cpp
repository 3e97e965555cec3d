#include "energy.h"

#include "tsrun/base/operators.h"
#include "tsrun/tune/word_statistics.h"

#include <torch/csrc/autograd/custom_function.h>

namespace tsrun::laplacian {
namespace {

template <class T>
double add_energy(const SparseGraph& graph, const at::Tensor& x, const at::Tensor& scale, const at::Tensor& inverse, double factor,
                  at::Tensor& gradient) {
  return laplacian_energy(graph, x.const_data_ptr<T>(), x.size(1), scale.const_data_ptr<T>(),
                          inverse.defined() ? inverse.const_data_ptr<T>() : nullptr, factor, gradient.mutable_data_ptr<T>());
}

/// By hand: the gradient is made with the value, which needs the same sums.
struct SparseTerm : torch::autograd::Function<SparseTerm> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& rows, const Graph* graph, const Form& form) {
    const at::Tensor x = rows.detach().cpu().contiguous();
    at::Tensor gradient = at::zeros_like(x);
    const double value = add_laplacian_term(x, *graph, form, 1, gradient);
    context->save_for_backward({gradient.to(rows.device())});
    return at::full({}, value, rows.options());
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, const torch::autograd::variable_list& given) {
    return {context->get_saved_variables()[0] * given[0], {}, {}};
  }
};

/// Within a cluster of n rows, Σ_ij ‖y_i − y_j‖² = 2 n Σ_i ‖y_i‖² − 2 ‖Σ_i y_i‖².
at::Tensor cluster_energy(const at::Tensor& rows, const Graph& graph, const at::Tensor& constants, bool unit) {
  const at::Tensor cluster = graph.cluster.to(rows.device());
  const at::Tensor y = (unit ? unit_rows(rows) : rows) * constants.to(rows.options()).unsqueeze(1);
  const at::Tensor sums = at::zeros({graph.clusters, rows.size(1)}, rows.options()).index_add(0, cluster, y);
  const at::Tensor sizes = at::bincount(cluster, {}, graph.clusters).to(rows.scalar_type());
  return 2 * (y.square().sum(1).dot(sizes.index_select(0, cluster)) - sums.square().sum());
}

double divisor(const at::Tensor& degrees, Normalisation normalisation) {
  const auto nodes = static_cast<double>(degrees.size(0));
  switch (normalisation) {
    case Normalisation::none:
      return 1;
    case Normalisation::words:
      return nodes * nodes;
    case Normalisation::weights:
      return degrees.sum().item<double>();
    case Normalisation::degree:
      return nodes;
  }
  return 1;
}

/// c_i
at::Tensor constants(const at::Tensor& degrees, Normalisation normalisation) {
  return normalisation == Normalisation::degree ? at::where(degrees > 0, degrees.rsqrt(), at::zeros_like(degrees)) : at::ones_like(degrees);
}

}  // namespace

at::Tensor Graph::degrees() const {
  if (sparse) return at::tensor(sparse->degrees(), at::kDouble);
  const at::Tensor sizes = at::bincount(cluster, {}, clusters);
  return (sizes.index_select(0, cluster) - 1).to(at::kDouble);
}

Graph complete_graph(int64_t nodes) { return {nullptr, at::zeros({nodes}, at::kLong), 1}; }

double add_laplacian_term(const at::Tensor& rows, const Graph& graph, const Form& form, double factor, at::Tensor& gradient) {
  const at::Tensor degrees = graph.degrees();
  const double z = divisor(degrees, form.normalisation);
  if (z == 0) return 0;
  at::Tensor scale = constants(degrees, form.normalisation).to(rows.scalar_type()), inverse;
  if (form.unit) {
    const at::Tensor norms = rows.norm(2, {1});
    inverse = at::where(norms > 0, norms.reciprocal(), at::zeros_like(norms));
    scale = scale * inverse;
  }
  const double over_ordered_pairs = (form.push ? -2 : 2) / z;
  const bool wide = rows.scalar_type() == at::kDouble;
  return over_ordered_pairs * (wide ? add_energy<double>(*graph.sparse, rows, scale, inverse, factor * over_ordered_pairs, gradient)
                                    : add_energy<float>(*graph.sparse, rows, scale, inverse, factor * over_ordered_pairs, gradient));
}

at::Tensor laplacian_term(const at::Tensor& rows, const Graph& graph, const Form& form) {
  if (graph.sparse) return SparseTerm::apply(rows, &graph, form);
  const at::Tensor degrees = graph.degrees();
  const double z = divisor(degrees, form.normalisation);
  if (z == 0) return rows.sum() * 0;
  return cluster_energy(rows, graph, constants(degrees, form.normalisation), form.unit) * ((form.push ? -1 : 1) / z);
}

}  // namespace tsrun::laplacian
