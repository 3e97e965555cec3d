#include "network.h"

#include "tsrun/base/error.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>

namespace tsrun::joint_decomposition {
namespace {

ParameterGroup small_group(const std::string& name, int64_t dim, bool tanh, double lr, Key key) {
  ParameterGroup group;
  group.name = name;
  group.lr = lr;
  group.layout.add("hidden bias", {dim}).add("output weight", {dim, dim}).add("output bias", {dim});
  if (tanh) group.layout.add("decoder hidden", {dim, dim});
  group.value = at::empty({group.layout.total()}, at::kFloat);
  group.gradient = at::zeros_like(group.value);
  for (const Slice& slice : group.layout.slices())
    fill_normal(key.split(slice.name), {group.value.mutable_data_ptr<float>() + slice.offset, static_cast<size_t>(slice.size)}, 0, 0,
                initial_deviation);
  return group;
}

/// result(t, i) = Σ_j rows(t, j) · weight[i][j] (`transposed`: weight[j][i]), for a d × d weight.
SmallMatrix through(const SmallMatrix& rows, const float* weight, bool transposed) {
  const int64_t dim = rows.columns;
  SmallMatrix result(rows.rows, dim);
  for (int64_t t = 0; t < rows.rows; ++t)
    for (int64_t i = 0; i < dim; ++i)
      for (int64_t j = 0; j < dim; ++j)
        result(t, i) += rows(t, j) * static_cast<double>(transposed ? weight[j * dim + i] : weight[i * dim + j]);
  return result;
}

/// into[i][j] += Σ_t outputs(t, i) · inputs(t, j).
void add_products(const SmallMatrix& outputs, const SmallMatrix& inputs, float* into) {
  const int64_t dim = outputs.columns;
  for (int64_t i = 0; i < dim; ++i)
    for (int64_t j = 0; j < dim; ++j) {
      double sum = 0;
      for (int64_t t = 0; t < outputs.rows; ++t) sum += outputs(t, i) * inputs(t, j);
      into[i * dim + j] += static_cast<float>(sum);
    }
}

void add_columns(const SmallMatrix& rows, float* into) {
  for (int64_t i = 0; i < rows.columns; ++i) {
    double sum = 0;
    for (int64_t t = 0; t < rows.rows; ++t) sum += rows(t, i);
    into[i] += static_cast<float>(sum);
  }
}

void add_to_rows(SmallMatrix& rows, const float* bias) {
  for (int64_t t = 0; t < rows.rows; ++t)
    for (int64_t i = 0; i < rows.columns; ++i) rows(t, i) += static_cast<double>(bias[i]);
}

void apply_tanh(SmallMatrix& rows) {
  for (double& value : rows.values) value = std::tanh(value);
}

/// gradient · (1 − tanh²), from tanh's results.
SmallMatrix behind_tanh(SmallMatrix gradient, const SmallMatrix& results) {
  for (size_t i = 0; i < gradient.values.size(); ++i) gradient.values[i] *= 1 - results.values[i] * results.values[i];
  return gradient;
}

}  // namespace

Network::Network(const std::vector<JointMember>& members, const Settings& settings, Key key)
    : dim_(settings.dim), lr_(settings.lr), crossed_(settings.crossed_encoder), tanh_(settings.tanh_decoder) {
  for (const JointMember& member : members) {
    const Key own = key.split(member.name);
    const int64_t length = member.parameters.layout.total();
    encoders_.emplace_back(dim_, length, own.split("encoder"));
    decoders_.emplace_back(dim_, length, own.split("decoder"));
    small_.push_back(small_group(member.name, dim_, tanh_, lr_, own));
  }
  optimizer_ = make_adafactor(small_, {});
}

float* Network::part(size_t m, const char* name, bool gradient) const {
  const ParameterGroup& group = small_[m];
  return (gradient ? group.gradient : group.value).mutable_data_ptr<float>() + group.layout.find(name)->offset;
}

at::Tensor Network::decoder_hidden(size_t m) const {
  const Slice* slice = small_[m].layout.find("decoder hidden");
  return slice ? small_[m].value.narrow(0, slice->offset, slice->size).view(slice->shape) : at::Tensor();
}

Encoded Network::encode(size_t m, const std::vector<const float*>& deltas) const {
  Encoded result;
  result.hidden = multiply_rows(encoders_[m].rows(), deltas);
  add_to_rows(result.hidden, part(m, "hidden bias", false));
  apply_tanh(result.hidden);
  const size_t owner = owner_of_output(m);
  result.codes = through(result.hidden, part(owner, "output weight", false), false);
  add_to_rows(result.codes, part(owner, "output bias", false));
  return result;
}

SmallMatrix Network::activations(size_t m, const SmallMatrix& codes) const {
  if (!tanh_) return codes;
  SmallMatrix active = through(codes, part(m, "decoder hidden", false), false);
  apply_tanh(active);
  return active;
}

SmallMatrix Network::back_through_decoder(size_t m, const SmallMatrix& codes, const SmallMatrix& active, const SmallMatrix& gradient) {
  if (!tanh_) return gradient;
  const SmallMatrix behind = behind_tanh(gradient, active);
  add_products(behind, codes, part(m, "decoder hidden", true));
  return through(behind, part(m, "decoder hidden", false), true);
}

SmallMatrix Network::back_through_encoder(size_t m, const Encoded& encoded, const SmallMatrix& gradient) {
  const size_t owner = owner_of_output(m);
  add_products(gradient, encoded.hidden, part(owner, "output weight", true));
  add_columns(gradient, part(owner, "output bias", true));
  SmallMatrix behind = behind_tanh(through(gradient, part(owner, "output weight", false), true), encoded.hidden);
  add_columns(behind, part(m, "hidden bias", true));
  return behind;
}

void Network::clear_small_gradients() {
  for (ParameterGroup& group : small_) group.gradient.zero_();
}

SmallMatrix Network::descend_decoder(size_t m, const std::vector<const float*>& wide, const SmallMatrix& narrow, int64_t step) {
  return decoders_[m].descend({step, lr_}, wide, narrow);
}

void Network::descend_encoder(size_t m, const std::vector<const float*>& wide, const SmallMatrix& narrow, int64_t step) {
  encoders_[m].descend({step, lr_}, wide, narrow);
}

std::map<std::string, at::Tensor> Network::state() const {
  std::map<std::string, at::Tensor> state;
  for (const auto& [name, tensor] : optimizer_->state()) state["small." + name] = tensor;
  for (size_t m = 0; m < members(); ++m) {
    state.merge(encoders_[m].state(small_[m].name + ".encoder"));
    state.merge(decoders_[m].state(small_[m].name + ".decoder"));
    state[small_[m].name + ".small"] = small_[m].value;
  }
  return state;
}

void Network::restore(const std::map<std::string, at::Tensor>& saved) {
  for (const auto& [name, tensor] : state()) {
    const auto found = saved.find(name);
    if (found == saved.end() || found->second.sizes() != tensor.sizes() || found->second.scalar_type() != tensor.scalar_type())
      data_error("joint_decomposition: the saved state has no '{}' of {} elements", name, tensor.numel());
    at::Tensor into = tensor;
    into.copy_(found->second);
  }
}

nlohmann::json Network::bytes() const {
  int64_t decoders = 0, encoders = 0, factors = 0;
  for (size_t m = 0; m < members(); ++m) {
    decoders += 4 * decoders_[m].values().numel();
    encoders += 4 * encoders_[m].values().numel();
    factors += decoders_[m].factor_bytes() + encoders_[m].factor_bytes();
  }
  return {{"decoders", decoders}, {"encoders", encoders}, {"factors", factors}};
}

}  // namespace tsrun::joint_decomposition
