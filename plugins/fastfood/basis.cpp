#include "basis.h"

#include "tsrun/tune/key_file.h"

#include <ATen/ops/empty.h>

#include <algorithm>

namespace tsrun::fastfood {
namespace {

std::span<float> floats(const at::Tensor& tensor) { return {tensor.data_ptr<float>(), static_cast<size_t>(tensor.numel())}; }

}  // namespace

Basis::Basis(ParameterSet parameters, int64_t dim, FastfoodChoices choices, Key key)
    : parameters_(std::move(parameters)),
      dims_(parameters_.groups.size(), dim),
      offsets_(coordinate_offsets(dims_)),
      choices_(choices),
      key_(key),
      projection_(parameters_, dims_, choices, key, "fastfood"),
      ones_(projection_.parts().size(), 1.0f) {}

void Basis::expand(const at::Tensor& z, at::Tensor out) const { projection_.expand(floats(z), offsets_, ones_, floats(out)); }

at::Tensor Basis::project(const at::Tensor& z, const at::Tensor& g) const {
  const auto sums = projection_.project(floats(z), offsets_, ones_, floats(g));
  at::Tensor result = at::empty({dim()}, at::kFloat);
  std::transform(sums.begin(), sums.end(), result.data_ptr<float>(), [](double value) { return static_cast<float>(value); });
  return result;
}

nlohmann::json Basis::describe() const {
  nlohmann::json groups = nlohmann::json::array();
  for (const Group& group : parameters_.groups) groups.push_back({{"name", group.name}, {"size", group.size()}, {"dim", dims_[0]}});
  nlohmann::json description = choices_.to_json();
  description.update({{"maps", projection_.parts().size()}, {"digest", digest()}, {"groups", groups}});
  return description;
}

void Basis::save(const std::filesystem::path& folder) const {
  nlohmann::json choices = choices_.to_json();
  choices["dim"] = dims_[0];
  save_key(folder, parameters_, key_, choices, digest());
}

}  // namespace tsrun::fastfood
