#include "adapter.h"

#include <ATen/core/Tensor.h>

namespace tsrun::adapter {
namespace {

std::string down(const Bottleneck& place) { return place.module + ".adapter.down"; }
std::string up(const Bottleneck& place) { return place.module + ".adapter.up"; }

}  // namespace

std::vector<DeltaTensor> Adapter::tensors() const {
  using enum DeltaTensor::Init;
  std::vector<DeltaTensor> tensors;
  for (const Bottleneck& place : places_) {
    tensors.push_back({down(place) + ".weight", {shape_.bottleneck, place.width}, place.layer, normal, shape_.deviation});
    if (shape_.biases) tensors.push_back({down(place) + ".bias", {shape_.bottleneck}, place.layer});
    tensors.push_back({up(place) + ".weight",
                       {place.width, shape_.bottleneck},
                       place.layer,
                       shape_.identity ? zeros : normal,
                       shape_.identity ? 0 : shape_.deviation});
    if (shape_.biases) tensors.push_back({up(place) + ".bias", {place.width}, place.layer});
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
  std::vector<BottleneckNetwork> networks;
  for (const Bottleneck& place : places_) {
    BottleneckNetwork network{
        weights.at(down(place) + ".weight"), weights.at(up(place) + ".weight"), {}, {}, shape_.activation, shape_.scale};
    if (shape_.biases) network.down_bias = weights.at(down(place) + ".bias"), network.up_bias = weights.at(up(place) + ".bias");
    networks.push_back(std::move(network));
  }
  install_bottlenecks(places_, std::move(networks), forward);
}

}  // namespace tsrun::adapter
