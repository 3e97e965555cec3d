#include "basis.h"

#include "tsrun/base/error.h"
#include "tsrun/base/hash.h"
#include "tsrun/base/parallel.h"
#include "tsrun/checkpoint/safetensors.h"
#include "tsrun/model/tensors.h"
#include "tsrun/tune/key_file.h"
#include "tsrun/tune/stored_basis.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>

namespace tsrun::uni_lora {
namespace {

constexpr const char* origin_name = "origin.safetensors";
constexpr int64_t grain = 1 << 15;  // parameters that a thread takes at least

/// The i-th parameter of a random order gets coordinate i modulo `dim`.
std::vector<uint32_t> balanced_assignment(Key key, int64_t size, int64_t dim) {
  const auto order = permutation(key, size);
  std::vector<uint32_t> coordinates(order.size());
  for (size_t i = 0; i < order.size(); ++i)
    coordinates[static_cast<size_t>(order[i])] = static_cast<uint32_t>(i % static_cast<size_t>(dim));
  return coordinates;
}

/// Sums of the parameters' gradients by coordinate, in parts of a fixed number that are added in order.
std::vector<double> sums_by_coordinate(std::span<const float> g, const std::vector<uint32_t>& coordinates, size_t dim) {
  const auto parts = static_cast<size_t>(std::clamp<int64_t>(std::ssize(g) / (8 * grain), 1, 16));
  const size_t part = (g.size() + parts - 1) / parts;
  std::vector<double> sums(parts * dim, 0.0);
  parallel_for(static_cast<int64_t>(parts), 1, [&](int64_t first, int64_t last) {
    for (auto p = static_cast<size_t>(first); p < static_cast<size_t>(last); ++p)
      for (size_t i = p * part; i < std::min(g.size(), (p + 1) * part); ++i) sums[p * dim + coordinates[i]] += g[i];
  });
  for (size_t p = 1; p < parts; ++p)
    for (size_t k = 0; k < dim; ++k) sums[k] += sums[p * dim + k];
  sums.resize(dim);
  return sums;
}

}  // namespace

Basis::Basis(ParameterSet parameters, int64_t dim, double width, Key key, at::Tensor dropped)
    : parameters_(std::move(parameters)),
      dim_(dim),
      width_(width),
      key_(key),
      dropped_(std::move(dropped)),
      dims_(parameters_.groups.size(), dim),
      offsets_(coordinate_offsets(dims_)) {
  Sha256 digest;
  for (const Group& group : parameters_.groups) {
    if (dim > group.size())
      user_error("uni_lora: {} coordinates for group '{}' of {} parameters, expected at most that many", dim, group.name, group.size());
    coordinate_of_.push_back(balanced_assignment(key.split(group.name), group.size(), dim));
    const std::span<const uint32_t> drawn = coordinate_of_.back();
    digest.update(std::as_bytes(drawn.first(std::min<size_t>(drawn.size(), 4096))));
  }
  digest_ = digest.hex();
}

std::vector<float> Basis::lengths_of(size_t g) const {
  const int64_t size = parameters_.groups[g].size();
  std::vector<float> lengths(static_cast<size_t>(dim_));
  for (int64_t k = 0; k < dim_; ++k)
    lengths[static_cast<size_t>(k)] = static_cast<float>(1 / std::sqrt(static_cast<double>(size / dim_ + (k < size % dim_ ? 1 : 0))));
  return lengths;
}

void Basis::expand(const at::Tensor& z, at::Tensor out) const {
  if (dropped_.defined()) out.sub_(dropped_);  // first, so that θ0 + expand(z) leaves nothing of θ0 in θ
  for (size_t g = 0; g < coordinate_of_.size(); ++g) {
    const auto mine = coordinates_of_group(z, offsets_, g);
    std::vector<float> values = lengths_of(g);
    for (size_t k = 0; k < values.size(); ++k) values[k] *= mine[k];
    const auto part = floats_of_group(out, parameters_, g);
    const std::vector<uint32_t>& coordinates = coordinate_of_[g];
    parallel_for(std::ssize(part), grain, [&](int64_t first, int64_t last) {
      for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i) part[i] += values[coordinates[i]];
    });
  }
}

at::Tensor Basis::project(const at::Tensor& /*z*/, const at::Tensor& g) const {
  at::Tensor result = at::empty({dim()}, at::kFloat);
  for (size_t group = 0; group < coordinate_of_.size(); ++group) {
    const auto sums = sums_by_coordinate(read_floats_of_group(g, parameters_, group), coordinate_of_[group], static_cast<size_t>(dim_));
    const auto lengths = lengths_of(group);
    float* out = result.data_ptr<float>() + offsets_[group];
    for (size_t k = 0; k < sums.size(); ++k) out[k] = static_cast<float>(sums[k] * lengths[k]);
  }
  return result;
}

nlohmann::json Basis::describe() const {
  nlohmann::json groups = nlohmann::json::array();
  for (const Group& group : parameters_.groups)
    groups.push_back({{"name", group.name}, {"size", group.size()}, {"dim", dim_}, {"parameters_a_coordinate", group.size() / dim_}});
  return {{"origin", dropped_.defined() ? "dropped" : "kept"}, {"initial_width", initial_width()}, {"digest", digest_}, {"groups", groups}};
}

void Basis::save(const std::filesystem::path& folder) const {
  if (dropped_.defined()) write_tensors(folder / origin_name, {{"origin", dropped_}});
  save_key(folder, parameters_, key_, {{"dim", dim_}, {"width", width_}, {"origin_dropped", dropped_.defined()}}, digest_);
}

std::unique_ptr<Subspace> Basis::load(const std::filesystem::path& folder, const ParameterSet& parameters) {
  return load_key(folder, parameters, [&](Key key, const nlohmann::json& choices) {
    at::Tensor dropped;
    if (choices.at("origin_dropped").get<bool>()) {
      const auto file = SafetensorsFile::open(folder / origin_name);
      const TensorInfo* info = file.find("origin");
      if (!info || info->type != DataType::float32 || info->shape != std::vector<int64_t>{parameters.layout.total()})
        data_error("{}: expected 'origin' as F32 of {} numbers", file.name(), parameters.layout.total());
      dropped = as_float32(*info).clone();
    }
    auto basis = std::make_unique<Basis>(parameters, choices.at("dim").get<int64_t>(), choices.at("width").get<double>(), key, dropped);
    const std::string digest = basis->digest();
    return DrawnSubspace{std::move(basis), digest};
  });
}

}  // namespace tsrun::uni_lora
