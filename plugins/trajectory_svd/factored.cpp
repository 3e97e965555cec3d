#include "bases.h"

#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/checkpoint/safetensors.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <cstring>

namespace tsrun::trajectory_svd {
namespace {

namespace fs = std::filesystem;
const char* const coefficients_name = "coefficients.safetensors";

std::string tensor_name(size_t group) { return fmt::format("group-{:05}", group); }

void link_or_copy(const fs::path& from, const fs::path& to) {
  std::error_code failed;
  fs::create_hard_link(fs::canonical(from), to, failed);
  if (!failed) return;
  fs::copy_file(from, to, failed);
  if (failed) run_error("{}: cannot be copied to {}: {}", from.string(), to.string(), failed.message());
}

SmallMatrix read_coefficients(const SafetensorsFile& file, size_t group, int64_t rows, int64_t dim) {
  SmallMatrix matrix(rows, dim);
  if (dim == 0) return matrix;
  const TensorInfo* info = file.find(tensor_name(group));
  if (!info || info->type != DataType::float64 || info->shape != std::vector<int64_t>{rows, dim})
    data_error("{}: expected '{}' as F64 of [{}, {}]", file.name(), tensor_name(group), rows, dim);
  std::memcpy(matrix.values.data(), info->bytes.data(), info->bytes.size());
  return matrix;
}

}  // namespace

RowSource group_rows(const Trajectory& trajectory, const Group& group, bool with_origin) {
  const auto origin = with_origin ? trajectory.origin().subspan(static_cast<size_t>(group.begin), static_cast<size_t>(group.size()))
                                  : std::span<const float>();
  return RowSource(origin, trajectory.differences().slice(group.begin, group.end));
}

FactoredBasis::FactoredBasis(ParameterSet parameters, Trajectory trajectory, bool with_origin, std::vector<SmallMatrix> coefficients,
                             nlohmann::json description)
    : parameters_(std::move(parameters)),
      description_(std::move(description)),
      trajectory_(std::move(trajectory)),
      with_origin_(with_origin),
      coefficients_(std::move(coefficients)) {
  for (const SmallMatrix& matrix : coefficients_) dims_.push_back(matrix.columns);
  offsets_ = coordinate_offsets(dims_);
  for (const Group& group : parameters_.groups) sources_.push_back(group_rows(trajectory_, group, with_origin_));
}

void FactoredBasis::expand(const at::Tensor& z, at::Tensor out) const {
  for (size_t g = 0; g < sources_.size(); ++g) {
    const auto mine = coordinates_of_group(z, offsets_, g);
    const SmallMatrix& c = coefficients_[g];
    std::vector<double> weights(static_cast<size_t>(c.rows), 0.0);
    for (int64_t i = 0; i < c.rows; ++i)
      for (int64_t k = 0; k < c.columns; ++k) weights[static_cast<size_t>(i)] += c(i, k) * mine[static_cast<size_t>(k)];
    if (c.columns > 0) sources_[g].expand(weights, floats_of_group(out, parameters_, g));
  }
}

at::Tensor FactoredBasis::project(const at::Tensor& /*z*/, const at::Tensor& g) const {
  at::Tensor result = at::empty({offsets_.back()}, at::kFloat);
  for (size_t group = 0; group < sources_.size(); ++group) {
    const SmallMatrix& c = coefficients_[group];
    if (c.columns == 0) continue;
    const auto products = sources_[group].project(read_floats_of_group(g, parameters_, group));
    for (int64_t k = 0; k < c.columns; ++k) {
      double sum = 0;
      for (int64_t i = 0; i < c.rows; ++i) sum += c(i, k) * products[static_cast<size_t>(i)];
      result.data_ptr<float>()[offsets_[group] + k] = static_cast<float>(sum);
    }
  }
  return result;
}

void FactoredBasis::save(const fs::path& folder) const {
  for (const auto& entry : fs::directory_iterator(trajectory_.folder()))
    if (entry.is_regular_file() && (entry.path().extension() == ".safetensors" || entry.path().filename() == "trajectory.json"))
      link_or_copy(entry.path(), folder / entry.path().filename());
  std::vector<TensorInfo> tensors;
  for (size_t g = 0; g < coefficients_.size(); ++g) {
    const SmallMatrix& c = coefficients_[g];
    if (c.columns > 0) tensors.push_back({tensor_name(g), DataType::float64, {c.rows, c.columns}, std::as_bytes(std::span(c.values))});
  }
  write_safetensors(folder / coefficients_name, tensors);
  const nlohmann::json index = {
      {"form", "factored"}, {"dims", dims_}, {"layout", parameters_.layout.digest()}, {"description", description_}};
  write_durable(folder / index_name, index.dump(1) + "\n");
}

int64_t FactoredBasis::bytes_shipped() const {
  const Rows rows = trajectory_.differences();
  int64_t bytes = rows.count() * rows.columns * (rows.type == RowType::float32 ? 4 : 2);
  for (const SmallMatrix& c : coefficients_) bytes += static_cast<int64_t>(c.values.size() * sizeof(double));
  return bytes;
}

std::unique_ptr<Subspace> FactoredBasis::load(const fs::path& folder, const ParameterSet& parameters, const nlohmann::json& index) {
  Trajectory trajectory = Trajectory::open(folder);
  if (const auto difference = first_difference(parameters.layout, trajectory.layout()))
    data_error("{}: another parameter set: {}", folder.string(), *difference);
  const auto file = SafetensorsFile::open(folder / coefficients_name);
  const auto dims = index.at("dims").get<std::vector<int64_t>>();
  const bool with_origin = index.at("description").at("with_origin").get<bool>();
  if (dims.size() != parameters.groups.size())
    data_error("{}: {} groups, expected {}", folder.string(), dims.size(), parameters.groups.size());
  std::vector<SmallMatrix> coefficients;
  for (size_t g = 0; g < dims.size(); ++g)
    coefficients.push_back(read_coefficients(file, g, trajectory.size() + (with_origin ? 1 : 0), dims[g]));
  return std::make_unique<FactoredBasis>(parameters, std::move(trajectory), with_origin, std::move(coefficients), index.at("description"));
}

}  // namespace tsrun::trajectory_svd
