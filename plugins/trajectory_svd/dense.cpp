#include "bases.h"

#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/checkpoint/safetensors.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

namespace tsrun::trajectory_svd {
namespace {

const char* const directions_name = "directions.safetensors";

Rows rows_of(const at::Tensor& directions) {
  Rows rows{{}, RowType::float32, directions.size(1)};
  for (int64_t k = 0; k < directions.size(0); ++k) rows.data.push_back(directions.const_data_ptr<float>() + k * directions.size(1));
  return rows;
}

std::vector<int64_t> dims_of(const std::vector<at::Tensor>& directions) {
  std::vector<int64_t> dims;
  for (const at::Tensor& d : directions) dims.push_back(d.size(0));
  return dims;
}

}  // namespace

DenseBasis::DenseBasis(ParameterSet parameters, std::vector<at::Tensor> directions, nlohmann::json description,
                       std::shared_ptr<const void> keep)
    : Basis(std::move(parameters), dims_of(directions), std::move(description)),
      directions_(std::move(directions)),
      keep_(std::move(keep)) {
  for (const at::Tensor& d : directions_) rows_.push_back(rows_of(d));
}

void DenseBasis::expand(const at::Tensor& z, at::Tensor out) const {
  for (size_t g = 0; g < rows_.size(); ++g) {
    const auto mine = coordinates(z, g);
    if (!mine.empty()) tsrun::add_combination(rows_[g], std::vector<double>(mine.begin(), mine.end()), part(out, g));
  }
}

at::Tensor DenseBasis::project(const at::Tensor& /*z*/, const at::Tensor& g) const {
  at::Tensor result = at::empty({offsets_.back()}, at::kFloat);
  for (size_t group = 0; group < rows_.size(); ++group) {
    if (dims_[group] == 0) continue;
    const auto products = tsrun::dot_products(rows_[group], part(g, group));
    std::transform(products.begin(), products.end(), result.data_ptr<float>() + offsets_[group],
                   [](double v) { return static_cast<float>(v); });
  }
  return result;
}

void DenseBasis::save(const std::filesystem::path& folder) const {
  std::vector<TensorInfo> tensors;
  for (size_t g = 0; g < directions_.size(); ++g) {
    const at::Tensor& d = directions_[g];
    const auto bytes = static_cast<size_t>(d.numel()) * sizeof(float);
    if (d.size(0) > 0)
      tensors.push_back(
          {tensor_name(g), DataType::float32, {d.size(0), d.size(1)}, {static_cast<const std::byte*>(d.const_data_ptr()), bytes}});
  }
  write_safetensors(folder / directions_name, tensors);
  write_index(folder, "dense");
}

int64_t DenseBasis::bytes_shipped() const {
  int64_t bytes = 0;
  for (const at::Tensor& d : directions_) bytes += 4 * d.numel();
  return bytes;
}

std::unique_ptr<Subspace> DenseBasis::load(const std::filesystem::path& folder, const ParameterSet& parameters,
                                           const nlohmann::json& index) {
  auto file = std::make_shared<const SafetensorsFile>(SafetensorsFile::open(folder / directions_name));
  const auto dims = index.at("dims").get<std::vector<int64_t>>();
  if (dims.size() != parameters.groups.size())
    data_error("{}: {} groups, expected {}", folder.string(), dims.size(), parameters.groups.size());
  std::vector<at::Tensor> directions;
  for (size_t g = 0; g < dims.size(); ++g) {
    const std::vector<int64_t> shape = {dims[g], parameters.groups[g].size()};
    const TensorInfo* info = file->find(tensor_name(g));
    if (dims[g] == 0) {
      directions.push_back(at::empty(shape, at::kFloat));
      continue;
    }
    if (!info || info->type != DataType::float32 || info->shape != shape)
      data_error("{}: expected '{}' as F32 of [{}, {}]", file->name(), tensor_name(g), shape[0], shape[1]);
    directions.push_back(
        at::from_blob(const_cast<std::byte*>(info->bytes.data()), shape, at::kFloat));  // never written: the map is read-only
  }
  return std::make_unique<DenseBasis>(parameters, std::move(directions), index.at("description"), file);
}

}  // namespace tsrun::trajectory_svd
