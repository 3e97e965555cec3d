#include "lora.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/model/kernels.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace tsrun::lora {
namespace {

/// s B A as the weight stands: [outputs, inputs], or transposed.
at::Tensor update(const AdaptedLayer& layer, const Weights& weights) {
  const at::Tensor product = at::matmul(weights.at(layer.b()), weights.at(layer.a())) * layer.scale;
  return layer.target.module.transposed ? product.t() : product;
}

/// Length of each output's row of `weight`, shaped to scale it.
at::Tensor lengths(const AdaptedLayer& layer, const at::Tensor& weight) {
  return layer.target.module.transposed ? weight.norm(2, {0}, /*keepdim=*/true) : weight.norm(2, {1}, /*keepdim=*/true);
}

/// The best rank-r factors of W in the sense of least squares: B A s = U_r S_r V_rᵀ (PiSSA, Meng et al., NeurIPS 2024).
std::pair<at::Tensor, at::Tensor> principal(const AdaptedLayer& layer, const at::Tensor& weight) {
  const auto [u, s, v] = at::linalg_svd((layer.target.module.transposed ? weight.t() : weight).to(at::kDouble), /*full_matrices=*/false);
  const at::Tensor root = (s.narrow(0, 0, layer.rank) / layer.scale).sqrt();
  const at::Tensor a = root.unsqueeze(1) * v.narrow(0, 0, layer.rank), b = u.narrow(1, 0, layer.rank) * root;
  return {a.to(at::kFloat).contiguous(), b.to(at::kFloat).contiguous()};
}

at::Tensor normals(at::IntArrayRef shape, Key key) {
  at::Tensor values = at::empty(shape);
  fill_normal(key, {values.mutable_data_ptr<float>(), static_cast<size_t>(values.numel())}, 0, 0, 1);
  return values;
}

/// A and B from alternate rows of one random orthogonal matrix, so that B A is zero though neither is (as PEFT draws them).
at::Tensor orthogonal(const AdaptedLayer& layer, bool of_a, Key key) {
  const int64_t half = layer.rank / 2;
  const at::Tensor q = std::get<0>(at::linalg_qr(normals({layer.rank, layer.rank}, key.split("rotation").split(layer.target.module.name))));
  const at::Tensor rows = q.slice(0, of_a ? 0 : 1, layer.rank, 2);
  const int64_t width = of_a ? layer.target.module.inputs : layer.target.module.outputs;
  const at::Tensor mixed = at::matmul(normals({width, half}, key.split(of_a ? layer.a() : layer.b())), rows) / 10;
  return (of_a ? mixed.t() : mixed).contiguous();
}

}  // namespace

void Lora::add_tensors(const AdaptedLayer& layer, std::vector<DeltaTensor>& tensors) const {
  const LinearModule& module = layer.target.module;
  using enum DeltaTensor::Init;
  if (layer.embedding()) {  // A at zero and B random, the opposite of a linear layer
    tensors.push_back({layer.a(), {layer.rank, module.inputs}, module.layer});
    tensors.push_back({layer.b(), {module.outputs, layer.rank}, module.layer, normal, 1});
  } else {
    DeltaTensor a{layer.a(), {layer.rank, module.inputs}, module.layer, uniform, 1 / std::sqrt(static_cast<double>(module.inputs))};
    if (choices_.init == Init::release) a.scale = 1 / std::sqrt(static_cast<double>(layer.rank));
    if (choices_.init == Init::gaussian) a.init = normal, a.scale = 1 / static_cast<double>(layer.rank);
    tensors.push_back(std::move(a));
    tensors.push_back({layer.b(), {module.outputs, layer.rank}, module.layer});
  }
  if (choices_.bias_of_b) tensors.push_back({layer.b_bias(), {module.outputs}, module.layer});
  if (choices_.dora) tensors.push_back({layer.magnitude(), {module.outputs}, module.layer});
}

std::vector<DeltaTensor> Lora::tensors() const {
  std::vector<DeltaTensor> tensors;
  for (const AdaptedLayer& layer : layers_) add_tensors(layer, tensors);
  return tensors;
}

std::vector<DeltaMatch> Lora::matches() const {
  std::vector<DeltaMatch> matches;
  for (const AdaptedLayer& layer : layers_) {
    const LinearModule& module = layer.target.module;
    const int64_t more = (choices_.dora ? module.outputs : 0) + (choices_.bias_of_b ? module.outputs : 0);
    matches.push_back({layer.target.pattern, module.name, layer.rank * (module.inputs + module.outputs) + more});
  }
  return matches;
}

const AdaptedLayer* Lora::layer_of(std::string_view tensor) const {
  for (const AdaptedLayer& layer : layers_) {
    if (tensor == layer.a() || tensor == layer.b() || tensor == layer.magnitude()) return &layer;
  }
  return nullptr;
}

at::Tensor Lora::initial(const DeltaTensor& tensor, const Weights& origin, Key key) const {
  const AdaptedLayer* layer = layer_of(tensor.name);
  if (!layer) return {};
  if (tensor.name == layer->magnitude()) return lengths(*layer, origin.at(layer->weight())).flatten().contiguous();
  if (layer->embedding()) return {};
  if (choices_.init == Init::orthogonal) return orthogonal(*layer, tensor.name == layer->a(), key);
  if (choices_.init != Init::pissa) return {};
  return principal_factor(*layer, origin.at(layer->weight()), tensor.name == layer->a());
}

at::Tensor Lora::principal_factor(const AdaptedLayer& layer, const at::Tensor& weight, bool of_a) const {
  const std::lock_guard lock(mutex_);
  if (!of_a) {
    const auto waiting = waiting_.extract(layer.target.module.name);
    if (!waiting.empty() && waiting.mapped().weight.is_same(weight)) return waiting.mapped().b;
  }
  const auto [a, b] = principal(layer, weight);
  if (of_a) waiting_.insert_or_assign(layer.target.module.name, Waiting{weight, b});
  return of_a ? a : b;
}

void Lora::adjust_origin(const Weights& values, Weights& origin) const {
  if (choices_.init != Init::pissa) return;
  for (const AdaptedLayer& layer : layers_)
    if (!layer.embedding()) origin.set(layer.weight(), (origin.at(layer.weight()) - update(layer, values)).contiguous());
}

at::Tensor Lora::rescaling(const AdaptedLayer& layer, const Weights& weights, const at::Tensor& sum) const {
  const at::Tensor length = lengths(layer, sum).detach();
  return weights.at(layer.magnitude()).view_as(length) / length;
}

at::Tensor Lora::merged(const AdaptedLayer& layer, const Weights& weights) const {
  const at::Tensor sum = weights.at(layer.weight()) + update(layer, weights);
  return choices_.dora ? sum * rescaling(layer, weights, sum) : sum;
}

std::vector<ModuleChange> Lora::changes() const {
  std::vector<ModuleChange> changes;
  for (const AdaptedLayer& layer : layers_)
    changes.push_back({layer.target.module.name, acts_on_weight(layer) ? ModuleChange::Place::weight : ModuleChange::Place::output,
                       choices_.dora ? ModuleChange::How::of_weight : ModuleChange::How::adds});
  return changes;
}

void Lora::override_weights(const Weights& weights, Weights& seen) const {
  for (const AdaptedLayer& layer : layers_)
    if (acts_on_weight(layer)) seen.set(layer.weight(), merged(layer, weights));
}

/// Factors of a layer in one forward pass.
struct Lora::LowRankUpdate {
  at::Tensor a, b, b_bias;
  double scale;
  Key key;
  at::Tensor factor, weight, bias;  ///< DoRA's factor g [outputs] (undefined: plain LoRA) and the layer itself
  bool transposed = false;

  /// Update of the layer's output `out`. DoRA: (g − 1) W x + g s B A x with one mask on both x, as PEFT does; without dropout W x is
  /// at hand.
  at::Tensor operator()(const at::Tensor& in, const at::Tensor& out, double p) const {
    const at::Tensor x = dropout(in.to(a.scalar_type()), p, key);
    const at::Tensor product = at::linear(at::linear(x, a), b);
    const at::Tensor low = (b_bias.defined() ? product + b_bias : product) * scale;
    if (!factor.defined()) return low;
    const at::Tensor whole = p > 0 ? at::matmul(x, transposed ? weight : weight.t()) : bias.defined() ? out - bias : out;
    return (factor - 1) * whole + factor * low;
  }
};

Lora::LowRankUpdate Lora::low_rank_update(const AdaptedLayer& layer, const Weights& weights, const ForwardOptions& forward) const {
  const LinearModule& module = layer.target.module;
  const at::Tensor* b_bias = weights.find(layer.b_bias());
  LowRankUpdate low{weights.at(layer.a()),
                    weights.at(layer.b()),
                    b_bias ? *b_bias : at::Tensor(),
                    layer.scale,
                    forward.dropout.split("lora").split(module.name),
                    {},
                    {},
                    {},
                    module.transposed};
  if (!choices_.dora) return low;
  low.weight = weights.at(layer.weight());
  low.factor = rescaling(layer, weights, low.weight + update(layer, weights)).flatten();
  if (const at::Tensor* bias = weights.find(layer.bias())) low.bias = *bias;
  return low;
}

void Lora::install_linear(const Weights& weights, ForwardOptions& forward) const {
  auto installed = std::make_shared<std::map<std::string, LowRankUpdate>>();
  for (const AdaptedLayer& layer : layers_)
    if (!layer.embedding() && !acts_on_weight(layer))
      installed->emplace(layer.target.module.name, low_rank_update(layer, weights, forward));
  if (installed->empty()) return;
  const double p = forward.training ? choices_.dropout : 0;
  forward.at_linear.push_back([installed, p](const LinearCall& call, const at::Tensor& y) {
    const auto found = installed->find(call.module);
    return found == installed->end() ? y : y + found->second(call.input, call.output, p);
  });
}

/// A table's factors: rows s A[:, ids]ᵀ Bᵀ are added. PEFT has no dropout here.
struct Lora::LowRankRows {
  at::Tensor a, b;
  double scale;
  at::Tensor factor;  ///< DoRA's g [width]; undefined: none

  at::Tensor operator()(const at::Tensor& ids, const at::Tensor& rows) const {
    const at::Tensor sum = rows + at::linear(at::embedding(a.t(), ids), b) * scale;
    return factor.defined() ? sum * factor : sum;
  }
};

Lora::LowRankRows Lora::low_rank_rows(const AdaptedLayer& layer, const Weights& weights) const {
  LowRankRows low{weights.at(layer.a()), weights.at(layer.b()), layer.scale, {}};
  if (choices_.dora) low.factor = rescaling(layer, weights, weights.at(layer.weight()) + update(layer, weights)).flatten();
  return low;
}

void Lora::install_embeddings(const Weights& weights, ForwardOptions& forward) const {
  auto installed = std::make_shared<std::map<std::string, LowRankRows>>();
  for (const AdaptedLayer& layer : layers_)
    if (layer.embedding()) installed->emplace(layer.target.module.name, low_rank_rows(layer, weights));
  if (installed->empty()) return;
  forward.at_linear.push_back([installed](const LinearCall& call, const at::Tensor& rows) {
    const auto found = installed->find(call.module);
    return found == installed->end() ? rows : found->second(call.input, rows);
  });
}

void Lora::install(const Weights& weights, ForwardOptions& forward) const {
  install_linear(weights, forward);
  install_embeddings(weights, forward);
}

std::optional<Weights> Lora::merge(const Weights& weights) const {
  if (!choices_.why_not_merged.empty()) return std::nullopt;
  Weights result = weights;
  for (const AdaptedLayer& layer : layers_) {
    result.set(layer.weight(), merged(layer, weights).contiguous());
    if (choices_.bias_of_b) result.set(layer.bias(), (weights.at(layer.bias()) + weights.at(layer.b_bias()) * layer.scale).contiguous());
  }
  return result;
}

std::vector<LowRankFactors> Lora::low_rank_factors() const {
  if (choices_.dora) user_error("lora: DoRA rescales rows, so that its factors are not the update's; expected use_dora = false");
  std::vector<LowRankFactors> all;
  for (const AdaptedLayer& layer : layers_) {
    const LinearModule& module = layer.target.module;
    if (layer.embedding()) user_error("lora: '{}' is a table of embeddings; expected linear layers alone", module.name);
    if (module.shared) user_error("lora: '{}' has no weight of its own; leave it out of target_modules", module.name);
    if (const int64_t most = std::min(module.inputs, module.outputs); layer.rank > most)
      user_error("lora: rank {} for '{}', expected at most {}", layer.rank, module.name, most);
    all.push_back({layer.a(), layer.b(), layer.weight(), layer.rank, layer.scale, module.transposed});
  }
  if (!choices_.why_not_merged.empty()) user_error("lora: the delta cannot be folded into weights: {}", choices_.why_not_merged);
  return all;
}

}  // namespace tsrun::lora
