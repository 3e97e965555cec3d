#include "tsrun/tune/stored_basis.h"

#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/base/memory.h"
#include "tsrun/checkpoint/safetensors.h"
#include "tsrun/linalg/orthonormal.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <fmt/format.h>

#include <algorithm>

namespace tsrun {
namespace {

constexpr const char* basis_name = "basis.json";
constexpr const char* directions_name = "directions.safetensors";

std::string tensor_of_group(size_t group) { return fmt::format("group-{:05}", group); }

Rows rows_of_matrix(const at::Tensor& matrix) {
  Rows rows{{}, RowType::float32, matrix.size(1)};
  for (int64_t k = 0; k < matrix.size(0); ++k) rows.data.push_back(matrix.const_data_ptr<float>() + k * matrix.size(1));
  return rows;
}

TensorInfo as_float_info(const std::string& name, const at::Tensor& t) {
  return {
      name, DataType::float32, t.sizes().vec(), {static_cast<const std::byte*>(t.const_data_ptr()), static_cast<size_t>(4 * t.numel())}};
}

at::Tensor mapped_floats(const SafetensorsFile& file, const std::string& name, const std::vector<int64_t>& shape) {
  const TensorInfo* info = file.find(name);
  if (!info || info->type != DataType::float32 || info->shape != shape)
    data_error("{}: expected '{}' as F32 of [{}]", file.name(), name, fmt::join(shape, ", "));
  return at::from_blob(const_cast<std::byte*>(info->bytes.data()), shape, at::kFloat);  // never written: the map is read-only
}

void check_floats(const at::Tensor& flat, int64_t expected, const char* what) {
  if (flat.numel() != expected || flat.scalar_type() != at::kFloat || !flat.is_cpu() || !flat.is_contiguous())
    internal_error("expected {} float32 {} in host memory, found {}", expected, what, flat.numel());
}

}  // namespace

std::span<float> floats_of_group(at::Tensor flat, const ParameterSet& parameters, size_t g) {
  check_floats(flat, parameters.layout.total(), "weights");
  const Group& group = parameters.groups[g];
  return {flat.data_ptr<float>() + group.begin, static_cast<size_t>(group.size())};
}

std::span<const float> read_floats_of_group(const at::Tensor& flat, const ParameterSet& parameters, size_t g) {
  return floats_of_group(flat, parameters, g);
}

std::span<const float> coordinates_of_group(const at::Tensor& z, const std::vector<int64_t>& offsets, size_t g) {
  check_floats(z, offsets.back(), "coordinates");
  return {z.const_data_ptr<float>() + offsets[g], static_cast<size_t>(offsets[g + 1] - offsets[g])};
}

at::Tensor orthonormal_directions(int64_t count, int64_t size, const std::function<void(std::span<float* const> out)>& form) {
  at::Tensor directions = at::empty({count, size}, at::kFloat);
  prefer_large_pages(directions.mutable_data_ptr(), directions.nbytes());
  std::vector<float*> out;
  std::vector<std::span<float>> rows;
  for (int64_t k = 0; k < count; ++k) {
    out.push_back(directions.data_ptr<float>() + k * size);
    rows.emplace_back(out.back(), static_cast<size_t>(size));
  }
  if (count == 0) return directions;
  form(out);
  repair_orthonormality(rows);
  return directions;
}

at::Tensor orthonormal_combinations(const SmallMatrix& matrix, const Rows& rows) {
  return orthonormal_directions(matrix.rows, rows.columns, [&](std::span<float* const> out) { combine(matrix, rows, out); });
}

StoredBasis::StoredBasis(ParameterSet parameters, StoredDirections directions)
    : parameters_(std::move(parameters)), own_(std::move(directions)) {
  for (const at::Tensor& d : own_.groups) {
    dims_.push_back(d.size(0));
    rows_.push_back(rows_of_matrix(d));
  }
  offsets_ = coordinate_offsets(dims_);
}

void StoredBasis::compose(const at::Tensor& origin, const at::Tensor& z, at::Tensor out) const {
  for (size_t g = 0; g < rows_.size(); ++g) {
    const auto mine = coordinates_of_group(z, offsets_, g);
    combine_onto(read_floats_of_group(origin, parameters_, g), rows_[g], std::vector<double>(mine.begin(), mine.end()),
                 floats_of_group(out, parameters_, g));
  }
  if (own_.shift.defined()) out.add_(own_.shift);
}

at::Tensor StoredBasis::project(const at::Tensor& /*z*/, const at::Tensor& g) const {
  at::Tensor result = at::empty({offsets_.back()}, at::kFloat);
  for (size_t group = 0; group < rows_.size(); ++group) {
    if (dims_[group] == 0) continue;
    const auto products = dot_products(rows_[group], read_floats_of_group(g, parameters_, group));
    std::transform(products.begin(), products.end(), result.data_ptr<float>() + offsets_[group],
                   [](double v) { return static_cast<float>(v); });
  }
  return result;
}

void StoredBasis::save(const std::filesystem::path& folder) const {
  std::vector<TensorInfo> tensors;
  for (size_t g = 0; g < own_.groups.size(); ++g)
    if (dims_[g] > 0) tensors.push_back(as_float_info(tensor_of_group(g), own_.groups[g]));
  if (own_.shift.defined()) tensors.push_back(as_float_info("shift", own_.shift));
  write_safetensors(folder / directions_name, tensors);
  const nlohmann::json index = {{"form", "dense"},
                                {"dims", dims_},
                                {"layout", parameters_.layout.digest()},
                                {"shifted", own_.shift.defined()},
                                {"orthonormal", own_.orthonormal},
                                {"description", own_.description}};
  write_durable(folder / basis_name, index.dump(1) + "\n");
}

int64_t StoredBasis::bytes_shipped() const {
  int64_t numbers = own_.shift.defined() ? own_.shift.numel() : 0;
  for (const at::Tensor& d : own_.groups) numbers += d.numel();
  return 4 * numbers;
}

SubspaceFacts StoredBasis::facts_of(const nlohmann::json& description) {
  SubspaceFacts facts;
  for (const auto& group : description.value("groups", nlohmann::json::array()))
    if (group.contains("singular_values"))
      facts.groups.push_back({group["singular_values"].get<std::vector<double>>(), group.value("update_length", 0.0)});
  return facts;
}

std::unique_ptr<Subspace> StoredBasis::load(const std::filesystem::path& folder, const ParameterSet& parameters) {
  const nlohmann::json index = read_json(folder / basis_name);
  try {
    if (index.at("layout") != parameters.layout.digest()) data_error("{}: the basis belongs to another parameter set", folder.string());
    const auto file = std::make_shared<const SafetensorsFile>(SafetensorsFile::open(folder / directions_name));
    const auto dims = index.at("dims").get<std::vector<int64_t>>();
    if (dims.size() != parameters.groups.size())
      data_error("{}: {} groups, expected {}", folder.string(), dims.size(), parameters.groups.size());
    StoredDirections own;
    for (size_t g = 0; g < dims.size(); ++g) {
      const std::vector<int64_t> shape = {dims[g], parameters.groups[g].size()};
      own.groups.push_back(dims[g] == 0 ? at::empty(shape, at::kFloat) : mapped_floats(*file, tensor_of_group(g), shape));
    }
    if (index.value("shifted", false)) own.shift = mapped_floats(*file, "shift", {parameters.layout.total()});
    own.orthonormal = index.value("orthonormal", true);
    own.description = index.at("description");
    own.keep = file;
    return std::make_unique<StoredBasis>(parameters, std::move(own));
  } catch (const nlohmann::json::exception& e) {
    data_error("{}: not a basis: {}", (folder / basis_name).string(), e.what());
  }
}

}  // namespace tsrun
