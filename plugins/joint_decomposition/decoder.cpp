#include "decoder.h"

#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/checkpoint/safetensors.h"
#include "tsrun/model/model.h"

#include <ATen/ops/empty.h>

#include <cmath>

namespace tsrun::joint_decomposition {
namespace {

const char* const index_name = "decoder.json";
const char* const data_name = "decoder.safetensors";

void check(const at::Tensor& flat, int64_t expected, const char* what) {
  if (flat.numel() != expected || flat.scalar_type() != at::kFloat || !flat.is_cpu() || !flat.is_contiguous())
    internal_error("joint_decomposition: expected {} float32 {}, found {}", expected, what, flat.numel());
}

at::Tensor read_matrix(const SafetensorsFile& file, const char* name, int64_t rows, int64_t columns) {
  const TensorInfo* info = file.find(name);
  if (!info || info->type != DataType::float32 || info->shape != std::vector<int64_t>{rows, columns})
    data_error("{}: expected '{}' as F32 of [{}, {}]", file.name(), name, rows, columns);
  return as_float32(*info);
}

}  // namespace

Decoder::Decoder(ParameterSet parameters, at::Tensor columns, at::Tensor hidden, nlohmann::json facts, bool regenerated)
    : parameters_(std::move(parameters)),
      dims_{columns.size(0)},
      columns_(std::move(columns)),
      hidden_(std::move(hidden)),
      rows_{{}, RowType::float32, columns_.size(1)},
      facts_(std::move(facts)),
      regenerated_(regenerated) {
  for (int64_t j = 0; j < dims_[0]; ++j) rows_.data.push_back(columns_.const_data_ptr<float>() + j * rows_.columns);
}

std::vector<double> Decoder::activations(const at::Tensor& z) const {
  const int64_t dim = dims_[0];
  check(z, dim, "coordinates");
  const float* code = z.const_data_ptr<float>();
  std::vector<double> result(code, code + dim);
  if (linear()) return result;
  const float* matrix = hidden_.const_data_ptr<float>();
  for (int64_t j = 0; j < dim; ++j) {
    double sum = 0;
    for (int64_t i = 0; i < dim; ++i) sum += static_cast<double>(matrix[j * dim + i]) * static_cast<double>(code[i]);
    result[static_cast<size_t>(j)] = std::tanh(sum);
  }
  return result;
}

void Decoder::expand(const at::Tensor& z, at::Tensor out) const {
  check(out, rows_.columns, "weights");
  tsrun::add_combination(rows_, activations(z), {out.mutable_data_ptr<float>(), static_cast<size_t>(out.numel())});
}

at::Tensor Decoder::project(const at::Tensor& z, const at::Tensor& g) const {
  check(g, rows_.columns, "gradients");
  const int64_t dim = dims_[0];
  std::vector<double> products = tsrun::dot_products(rows_, {g.const_data_ptr<float>(), static_cast<size_t>(g.numel())});
  at::Tensor result = at::empty({dim}, at::kFloat);
  auto* out = result.mutable_data_ptr<float>();
  if (linear()) {
    for (int64_t j = 0; j < dim; ++j) out[j] = static_cast<float>(products[static_cast<size_t>(j)]);
    return result;
  }
  const std::vector<double> h = activations(z);
  const float* matrix = hidden_.const_data_ptr<float>();
  for (size_t j = 0; j < h.size(); ++j) products[j] *= 1 - h[j] * h[j];
  for (int64_t i = 0; i < dim; ++i) {
    double sum = 0;
    for (int64_t j = 0; j < dim; ++j) sum += static_cast<double>(matrix[j * dim + i]) * products[static_cast<size_t>(j)];
    out[i] = static_cast<float>(sum);
  }
  return result;
}

nlohmann::json Decoder::describe() const {
  nlohmann::json result = facts_;
  result["decoder"] = linear() ? "linear" : "tanh";
  const int64_t rank = facts_.value("rank", dims_[0]);
  result["groups"] = {
      {{"name", parameters_.groups[0].name}, {"size", rows_.columns}, {"dim", dims_[0]}, {"rank", rank}, {"dropped", dims_[0] - rank}}};
  return result;
}

int64_t Decoder::bytes_shipped() const { return regenerated_ ? 0 : 4 * (columns_.numel() + (linear() ? 0 : hidden_.numel())); }

void Decoder::save(const std::filesystem::path& folder) const {
  std::vector<TensorInfo> tensors = {as_info("columns", columns_)};
  if (!linear()) tensors.push_back(as_info("hidden", hidden_));
  write_safetensors(folder / data_name, tensors);
  const nlohmann::json index = {{"layout", parameters_.layout.digest()},
                                {"dim", dims_[0]},
                                {"decoder", linear() ? "linear" : "tanh"},
                                {"regenerated", regenerated_},
                                {"facts", facts_}};
  write_durable(folder / index_name, index.dump(1) + "\n");
}

std::unique_ptr<Subspace> Decoder::load(const std::filesystem::path& folder, const ParameterSet& parameters) {
  const std::string path = (folder / index_name).string();
  const nlohmann::json index = read_json(path);
  try {
    if (index.at("layout") != parameters.layout.digest()) data_error("{}: the decoder belongs to another parameter set", path);
    if (parameters.groups.size() != 1) data_error("{}: {} groups, a decoder has one", path, parameters.groups.size());
    const auto dim = index.at("dim").get<int64_t>();
    const auto form = index.at("decoder").get<std::string>();
    if (form != "linear" && form != "tanh") data_error("{}: decoder '{}', expected linear or tanh", path, form);
    if (!index.at("facts").is_object()) data_error("{}: 'facts' is no table", path);
    const SafetensorsFile file = SafetensorsFile::open(folder / data_name);
    at::Tensor columns = read_matrix(file, "columns", dim, parameters.layout.total());
    at::Tensor hidden = form == "tanh" ? read_matrix(file, "hidden", dim, dim) : at::Tensor();
    return std::make_unique<Decoder>(parameters, std::move(columns), std::move(hidden), index.at("facts"),
                                     index.at("regenerated").get<bool>());
  } catch (const nlohmann::json::exception& e) {
    data_error("{}: not a decoder: {}", path, e.what());
  }
}

}  // namespace tsrun::joint_decomposition
