#include "compacter.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <algorithm>
#include <cmath>

namespace tsrun::compacter {
namespace {

constexpr const char* shared_rule = "compacter.rule";

/// Half the width of Glorot's uniform distribution for a matrix [rows, columns].
double glorot(int64_t rows, int64_t columns) { return std::sqrt(6.0 / static_cast<double>(rows + columns)); }

}  // namespace

Compacter::Compacter(std::vector<Bottleneck> places, Shape shape) : places_(std::move(places)), shape_(shape) {
  for (const Bottleneck& place : places_) {
    const int64_t inner = bottleneck_of(place);
    if (inner < 1 || inner % shape_.terms != 0 || place.width % shape_.terms != 0)
      user_error(
          "compacter: hypercomplex_division {} must divide the width {} of {} and the bottleneck {}; set bottleneck to a multiple of {}, "
          "or another reduction_factor",
          shape_.terms, place.width, place.module, inner, shape_.terms);
  }
}

int64_t Compacter::bottleneck_of(const Bottleneck& place) const {
  if (shape_.bottleneck > 0) return shape_.bottleneck;
  const double parts = static_cast<double>(place.width) / shape_.reduction / static_cast<double>(shape_.terms);
  return shape_.terms * std::max<int64_t>(1, std::llround(parts));
}

KroneckerMap Compacter::down(const Bottleneck& place) const {
  const std::string name = place.module + ".compacter.down";
  return {name, shape_.shared ? shared_rule : name + ".rule", place.layer, bottleneck_of(place), place.width};
}

KroneckerMap Compacter::up(const Bottleneck& place) const {
  const std::string name = place.module + ".compacter.up";
  return {name, shape_.shared ? shared_rule : name + ".rule", place.layer, place.width, bottleneck_of(place)};
}

void Compacter::add_factors(const KroneckerMap& map, bool zero, std::vector<DeltaTensor>& tensors) const {
  using enum DeltaTensor::Init;
  const int64_t n = shape_.terms, rows = map.outputs / n, columns = map.inputs / n;
  const auto distribution = zero ? zeros : uniform;
  if (shape_.rank == 0) {
    tensors.push_back({map.name + ".weight", {n, rows, columns}, map.layer, distribution, glorot(rows, columns)});
    return;
  }
  tensors.push_back({map.name + ".left", {n, rows, shape_.rank}, map.layer, distribution, glorot(rows, shape_.rank)});
  tensors.push_back({map.name + ".right", {n, shape_.rank, columns}, map.layer, uniform, glorot(shape_.rank, columns)});
}

void Compacter::add_map(const KroneckerMap& map, bool zero, std::vector<DeltaTensor>& tensors) const {
  const int64_t n = shape_.terms;
  if (!shape_.shared) tensors.push_back({map.rule, {n, n, n}, map.layer, DeltaTensor::Init::normal, shape_.deviation});
  add_factors(map, zero, tensors);
  if (shape_.biases) tensors.push_back({map.name + ".bias", {map.outputs}, map.layer});
}

std::vector<DeltaTensor> Compacter::tensors() const {
  const int64_t n = shape_.terms;
  std::vector<DeltaTensor> tensors;
  if (shape_.shared) tensors.push_back({shared_rule, {n, n, n}, -1, DeltaTensor::Init::normal, shape_.deviation});
  for (const Bottleneck& place : places_) {
    add_map(down(place), /*zero=*/false, tensors);
    add_map(up(place), shape_.identity, tensors);
  }
  return tensors;
}

int64_t Compacter::numbers_of(const KroneckerMap& map) const {
  const int64_t n = shape_.terms;
  const int64_t factors = shape_.rank == 0 ? map.outputs * map.inputs / n : shape_.rank * (map.outputs + map.inputs);
  return factors + (shape_.shared ? 0 : n * n * n) + (shape_.biases ? map.outputs : 0);
}

std::vector<DeltaMatch> Compacter::matches() const {
  const int64_t n = shape_.terms;
  std::vector<DeltaMatch> matches;
  if (shape_.shared) matches.push_back({"hypercomplex_division", "shared by all", n * n * n});
  for (const Bottleneck& place : places_) matches.push_back({place.site, place.module, numbers_of(down(place)) + numbers_of(up(place))});
  return matches;
}

at::Tensor Compacter::weight(const KroneckerMap& map, const Weights& weights) const {
  const at::Tensor b =
      shape_.rank == 0 ? weights.at(map.name + ".weight") : at::matmul(weights.at(map.name + ".left"), weights.at(map.name + ".right"));
  // Row (a, p) and column (c, q) of W are Σ_i A_i[a, c] B_i[p, q]: one product of [n², n] and [n, sizes of B].
  const int64_t n = shape_.terms, rows = b.size(1), columns = b.size(2);
  const at::Tensor sums = at::matmul(weights.at(map.rule).reshape({n, n * n}).t(), b.reshape({n, rows * columns}));
  return sums.view({n, n, rows, columns}).permute({0, 2, 1, 3}).reshape({map.outputs, map.inputs});
}

void Compacter::install(const Weights& weights, ForwardOptions& forward) const {
  std::vector<BottleneckNetwork> networks;
  for (const Bottleneck& place : places_) {
    const KroneckerMap first = down(place), second = up(place);
    BottleneckNetwork network{weight(first, weights), weight(second, weights), {}, {}, shape_.activation, 1};
    if (shape_.biases) network.down_bias = weights.at(first.name + ".bias"), network.up_bias = weights.at(second.name + ".bias");
    networks.push_back(std::move(network));
  }
  install_bottlenecks(places_, std::move(networks), forward);
}

}  // namespace tsrun::compacter
