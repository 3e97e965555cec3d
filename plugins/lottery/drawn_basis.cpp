#include "drawn_basis.h"

#include "tsrun/base/error.h"
#include "tsrun/base/hash.h"
#include "tsrun/base/interrupt.h"
#include "tsrun/model/tensors.h"
#include "tsrun/tune/key_file.h"

#include <ATen/ops/empty.h>

#include <algorithm>

namespace tsrun::lottery {
namespace {

constexpr const char* shift_name = "shift.safetensors";
constexpr int64_t hashed = 4096;  // numbers of each direction that enter the digest

StoredDirections drawn(const ParameterSet& parameters, int64_t dim, Key key, std::string& digest) {
  StoredDirections directions;
  Sha256 numbers;
  for (const Group& group : parameters.groups) {
    check_interrupt();
    const int64_t size = group.size();
    at::Tensor& own = directions.groups.emplace_back(at::empty({std::min(dim, size), size}, at::kFloat));
    std::vector<std::span<float>> rows;
    for (int64_t k = 0; k < own.size(0); ++k) {
      rows.emplace_back(own.data_ptr<float>() + k * size, static_cast<size_t>(size));
      fill_normal(key.split(group.name).split(static_cast<uint64_t>(k)), rows.back());
      numbers.update(std::as_bytes(rows.back().first(static_cast<size_t>(std::min(size, hashed)))));
    }
    orthonormalise(rows);
  }
  digest = numbers.hex();
  return directions;
}

StoredDirections with(StoredDirections directions, const at::Tensor& shift, nlohmann::json description) {
  directions.shift = shift;
  directions.description = std::move(description);
  return directions;
}

at::Tensor saved_shift(const std::filesystem::path& folder, int64_t total) {
  const SafetensorsFile file = SafetensorsFile::open(folder / shift_name);
  const TensorInfo* info = file.find("shift");
  if (!info || info->type != DataType::float32 || info->shape != std::vector<int64_t>{total})
    data_error("{}: expected 'shift' as F32 of {} numbers", file.name(), total);
  return as_float32(*info);
}

}  // namespace

DrawnBasis::DrawnBasis(const ParameterSet& parameters, int64_t dim, Key key, at::Tensor shift, nlohmann::json description)
    : dim_(dim),
      key_(key),
      shift_(std::move(shift)),
      basis_(parameters, with(drawn(parameters, dim, key, digest_), shift_, std::move(description))) {}

void DrawnBasis::save(const std::filesystem::path& folder) const {
  if (shift_.defined()) write_tensors(folder / shift_name, {{"shift", shift_}});
  save_key(folder, parameters(), key_, {{"dim", dim_}, {"shifted", shift_.defined()}, {"description", describe()}}, digest_);
}

std::unique_ptr<Subspace> DrawnBasis::load(const std::filesystem::path& folder, const ParameterSet& parameters) {
  return load_key(folder, parameters, [&](Key key, const nlohmann::json& choices) {
    const auto dim = choices.at("dim").get<int64_t>();
    if (dim < 1) data_error("{}: dim is {}, expected 1 or more", folder.string(), dim);
    const at::Tensor shift = choices.at("shifted").get<bool>() ? saved_shift(folder, parameters.layout.total()) : at::Tensor();
    auto basis = std::make_unique<DrawnBasis>(parameters, dim, key, shift, choices.at("description"));
    const std::string digest = basis->digest_;
    return DrawnSubspace{std::move(basis), digest};
  });
}

}  // namespace tsrun::lottery
