#include "energy.h"

#include "tsrun/tune/word_statistics.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

namespace tsrun::laplacian {
namespace {

template <class T>
double energy_into(const SparseGraph& graph, const at::Tensor& x, const at::Tensor& scale, const at::Tensor& inverse,
                   at::Tensor& gradient) {
  return laplacian_energy(graph, x.const_data_ptr<T>(), x.size(1), scale.const_data_ptr<T>(),
                          inverse.defined() ? inverse.const_data_ptr<T>() : nullptr, gradient.mutable_data_ptr<T>());
}

/// A tensor that may be undefined, which autograd takes no part in.
struct Memory {
  at::Tensor tensor;
};

/// Σ_ij A_ij ‖c_i x_i − c_j x_j‖², of unit rows where asked. The gradient is made with the value, which needs the same sums.
struct SparseEnergy : torch::autograd::Function<SparseEnergy> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& rows, const at::Tensor& constants,
                            const SparseGraph* graph, bool unit, const Memory& memory) {
    const at::Tensor x = rows.detach().cpu().contiguous();
    at::Tensor scale = constants.to(x.scalar_type()), inverse;
    if (unit) {
      const at::Tensor norms = x.norm(2, {1});
      inverse = at::where(norms > 0, norms.reciprocal(), at::zeros_like(norms));
      scale = scale * inverse;
    }
    at::Tensor gradient = memory.tensor.defined() && memory.tensor.is_cpu() ? memory.tensor : at::empty_like(x);
    const double energy = x.scalar_type() == at::kDouble ? energy_into<double>(*graph, x, scale, inverse, gradient)
                                                         : energy_into<float>(*graph, x, scale, inverse, gradient);
    context->saved_data["gradient"] = gradient.to(rows.device());
    return at::full({}, 2 * energy, rows.options());
  }
  /// The gradient is as large as the vocabulary's matrix, so it is scaled in place; there is one backward pass.
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, const torch::autograd::variable_list& given) {
    const at::Tensor gradient = context->saved_data["gradient"].toTensor();
    context->saved_data.erase("gradient");
    return {gradient.mul_(given[0] * 2), {}, {}, {}, {}};
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

}  // namespace

at::Tensor Graph::degrees() const {
  if (sparse) return at::tensor(sparse->degrees(), at::kDouble);
  const at::Tensor sizes = at::bincount(cluster, {}, clusters);
  return (sizes.index_select(0, cluster) - 1).to(at::kDouble);
}

Graph complete_graph(int64_t nodes) { return {nullptr, at::zeros({nodes}, at::kLong), 1}; }

at::Tensor laplacian_term(const at::Tensor& rows, const Graph& graph, const Form& form, const at::Tensor& memory) {
  const at::Tensor degrees = graph.degrees();
  const double z = divisor(degrees, form.normalisation);
  if (z == 0) return rows.sum() * 0;
  at::Tensor constants = at::ones_like(degrees);
  if (form.normalisation == Normalisation::degree) constants = at::where(degrees > 0, degrees.rsqrt(), at::zeros_like(degrees));
  const at::Tensor energy = graph.sparse ? SparseEnergy::apply(rows, constants, graph.sparse.get(), form.unit, Memory{memory})
                                         : cluster_energy(rows, graph, constants, form.unit);
  return energy * ((form.push ? -1 : 1) / z);
}

}  // namespace tsrun::laplacian
