#include "map.h"

#include "tsrun/base/error.h"
#include "tsrun/tune/key_file.h"

#include <ATen/ops/empty.h>

#include <algorithm>

namespace tsrun::said {
namespace {

std::span<float> floats(const at::Tensor& tensor) { return {tensor.data_ptr<float>(), static_cast<size_t>(tensor.numel())}; }

/// Number of every name's first equal one among those that differ.
std::vector<int64_t> numbered(const std::vector<std::string>& names) {
  std::vector<std::string> seen;
  std::vector<int64_t> numbers;
  for (const std::string& name : names) {
    const auto found = std::find(seen.begin(), seen.end(), name);
    numbers.push_back(found - seen.begin());
    if (found == seen.end()) seen.push_back(name);
  }
  return numbers;
}

/// Names of the scales of a group's maps.
std::vector<std::string> scale_names(const ParameterSet& parameters, const Group& group, const Choices& choices) {
  std::vector<std::string> names = fastfood_part_names(parameters, group, choices.fastfood.flattened);
  if (choices.layer_scales)
    for (std::string& name : names) name = layer_of_name(name);
  return names;
}

}  // namespace

Choices Choices::of(const Options& options) {
  return {options.integer("dim"), options.text("scales") == "layer", options.text("budget") == "released", FastfoodChoices::of(options)};
}

Choices Choices::from_json(const nlohmann::json& json) {
  return {json.at("dim").get<int64_t>(), json.at("scales") == "layer", json.at("budget") == "released", FastfoodChoices::from_json(json)};
}

nlohmann::json Choices::to_json() const {
  nlohmann::json json = fastfood.to_json();
  json.update({{"dim", dim}, {"scales", layer_scales ? "layer" : "tensor"}, {"budget", released_budget ? "released" : "paper"}});
  return json;
}

Map::Map(ParameterSet parameters, Choices choices, Key key)
    : parameters_(std::move(parameters)),
      choices_(choices),
      key_(key),
      dims_(parameters_.groups.size(), choices.dim - (choices.released_budget ? 1 : 0)),
      offsets_(coordinate_offsets(dims_)),
      projection_(drawn()) {
  for (const Group& group : parameters_.groups) add_scales(group);
}

FastfoodProjection Map::drawn() const {
  std::vector<int64_t> z_dims;
  for (size_t g = 0; g < dims_.size(); ++g) {
    const Group& group = parameters_.groups[g];
    const auto numbers = numbered(scale_names(parameters_, group, choices_));
    const int64_t scales = *std::max_element(numbers.begin(), numbers.end()) + 1;
    if (dims_[g] <= scales)
      user_error("said: dim is {}, but group '{}' has {} scales, which count; expected at least {}", choices_.dim, group.name, scales,
                 scales + 1 + choices_.dim - dims_[g]);
    z_dims.push_back(dims_[g] - scales);
  }
  return {parameters_, z_dims, choices_.fastfood, key_, "said"};
}

void Map::add_scales(const Group& group) {
  const auto numbers = numbered(scale_names(parameters_, group, choices_));
  const int64_t scales = *std::max_element(numbers.begin(), numbers.end()) + 1;
  const int64_t first = offsets_[scales_.size() + 1] - scales;
  for (const int64_t number : numbers) scale_of_.push_back(first + number);
  scales_.push_back(scales);
}

std::vector<float> Map::factors(const at::Tensor& z) const {
  const auto values = floats(z);
  std::vector<float> result;
  for (const int64_t place : scale_of_) result.push_back(1 + values[static_cast<size_t>(place)]);
  return result;
}

void Map::expand(const at::Tensor& z, at::Tensor out) const { projection_.expand(floats(z), offsets_, factors(z), floats(out)); }

at::Tensor Map::project(const at::Tensor& z, const at::Tensor& g) const {
  std::vector<double> of_scales;
  auto sums = projection_.project(floats(z), offsets_, factors(z), floats(g), &of_scales);
  for (size_t p = 0; p < scale_of_.size(); ++p) sums[static_cast<size_t>(scale_of_[p])] += of_scales[p];
  at::Tensor result = at::empty({dim()}, at::kFloat);
  std::transform(sums.begin(), sums.end(), result.data_ptr<float>(), [](double value) { return static_cast<float>(value); });
  return result;
}

nlohmann::json Map::describe() const {
  nlohmann::json groups = nlohmann::json::array();
  for (size_t g = 0; g < dims_.size(); ++g) {
    const Group& group = parameters_.groups[g];
    groups.push_back({{"name", group.name}, {"size", group.size()}, {"dim", dims_[g]}, {"scales", scales_[g]}});
  }
  nlohmann::json description = choices_.to_json();
  description.update({{"maps", projection_.parts().size()}, {"digest", digest()}, {"groups", groups}});
  return description;
}

void Map::save(const std::filesystem::path& folder) const { save_key(folder, parameters_, key_, choices_.to_json(), digest()); }

}  // namespace tsrun::said
