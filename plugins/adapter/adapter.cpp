#include "adapter.h"

#include "tsrun/base/error.h"

#include <ATen/ATen.h>

#include <map>
#include <optional>

namespace tsrun::adapter {
namespace {

at::Tensor bent(Activation activation, const at::Tensor& x) {
  switch (activation) {
    case Activation::relu:
      return at::relu(x);
    case Activation::gelu:
      return at::gelu(x);
    case Activation::silu:
      return at::silu(x);
    case Activation::tanh:
      return at::tanh(x);
  }
  internal_error("adapter: activation {} is unknown", static_cast<int>(activation));
}

/// A bottleneck's tensors as one forward pass has them.
struct Network {
  at::Tensor down, up;
  std::optional<at::Tensor> down_bias, up_bias;
  Activation activation = Activation::relu;
  double scale = 1;
  bool beside = false;

  at::Tensor operator()(const at::Tensor& x) const {
    return at::linear(bent(activation, at::linear(x.to(down.scalar_type()), down, down_bias)), up, up_bias) * scale;
  }
};

/// What the hooks of one forward pass share.
struct Installed {
  std::map<std::string, Network> networks;       ///< by the map that they are added to
  std::map<std::string, std::string> readers;    ///< the map that an input is taken from, and the one it is for
  std::map<std::string, at::Tensor> on_the_way;  ///< inputs that were seen and not used yet, by the map they are for
};

}  // namespace

std::vector<DeltaTensor> Adapter::tensors() const {
  using enum DeltaTensor::Law;
  std::vector<DeltaTensor> tensors;
  for (const Bottleneck& place : places_) {
    tensors.push_back({place.down() + ".weight", {shape_.bottleneck, place.width}, place.layer, normal, shape_.deviation});
    if (shape_.biases) tensors.push_back({place.down() + ".bias", {shape_.bottleneck}, place.layer});
    tensors.push_back({place.up() + ".weight",
                       {place.width, shape_.bottleneck},
                       place.layer,
                       shape_.identity ? zeros : normal,
                       shape_.identity ? 0 : shape_.deviation});
    if (shape_.biases) tensors.push_back({place.up() + ".bias", {place.width}, place.layer});
  }
  return tensors;
}

std::vector<DeltaMatch> Adapter::matches() const {
  std::vector<DeltaMatch> matches;
  for (const Bottleneck& place : places_) {
    const int64_t biases = shape_.biases ? shape_.bottleneck + place.width : 0;
    matches.push_back({place.site, place.module, 2 * shape_.bottleneck * place.width + biases});
  }
  return matches;
}

void Adapter::install(const Weights& weights, ForwardOptions& forward) const {
  auto installed = std::make_shared<Installed>();
  for (const Bottleneck& place : places_) {
    Network network{
        weights.at(place.down() + ".weight"), weights.at(place.up() + ".weight"), {}, {}, shape_.activation, shape_.scale, false};
    if (shape_.biases) network.down_bias = weights.at(place.down() + ".bias"), network.up_bias = weights.at(place.up() + ".bias");
    network.beside = !place.reads.empty();
    if (network.beside) installed->readers.emplace(place.reads, place.module);
    installed->networks.emplace(place.module, std::move(network));
  }
  if (!installed->readers.empty()) {
    forward.at_map = [installed, before = forward.at_map](const std::string& module, const at::Tensor& in, const at::Tensor& out) {
      const auto reader = installed->readers.find(module);
      if (reader != installed->readers.end()) installed->on_the_way[reader->second] = in;
      return before ? before(module, in, out) : out;
    };
  }
  forward.at_site = [installed, before = forward.at_site](const Site& site, const at::Tensor& x) {
    const at::Tensor h = before ? before(site, x) : x;
    const auto found = installed->networks.find(site.module);
    if (found == installed->networks.end()) return h;
    const Network& network = found->second;
    if (!network.beside) return h + network(h);
    const auto input = installed->on_the_way.extract(site.module);  // taken out: nothing is kept once it is used
    if (input.empty()) internal_error("adapter: nothing was seen to enter the block that ends in {}", site.module);
    return h + network(input.mapped());
  };
}

}  // namespace tsrun::adapter
