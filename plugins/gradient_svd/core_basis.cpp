#include "core_basis.h"

#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/base/operators.h"
#include "tsrun/checkpoint/safetensors.h"
#include "tsrun/model/tensors.h"

#include <algorithm>

namespace tsrun::gradient_svd {
namespace {

constexpr const char* frames_name = "frames.safetensors";

at::Tensor stored(const SafetensorsFile& file, const std::string& name) {
  const TensorInfo* info = file.find(name);
  if (!info || info->type != DataType::float32) data_error("{}: expected '{}' as F32", file.name(), name);
  return as_float32(*info).clone();
}

}  // namespace

Frame leading_frame(const std::string& name, const at::Tensor& matrix, int64_t rank) {
  const bool wide = matrix.size(0) <= matrix.size(1);
  const at::Tensor a = (wide ? matrix : matrix.t()).to(at::kDouble);
  const auto [values, vectors] = at::linalg_eigh(a.matmul(a.t()));
  const int64_t r = std::min(rank, a.size(0));
  const at::Tensor squares = values.flip(0).slice(0, 0, r).clamp_min(0), near = vectors.flip(1).slice(1, 0, r).contiguous();
  const at::Tensor s = squares.sqrt();
  const at::Tensor raw = a.t().matmul(near) / s.clamp_min(1e-30);
  const auto [q, upper] = at::linalg_qr(raw);
  const at::Tensor far = at::where(upper.diagonal() < 0, -q, q);  // the sign that singular vectors have; any where s is zero
  const at::Tensor u = (wide ? near : far).to(at::kFloat).contiguous(), v = (wide ? far : near).to(at::kFloat).contiguous();
  const double all = values.sum().item<double>();
  return {name, u, v, s.to(at::kFloat), all > 0 ? squares.sum().item<double>() / all : 0};
}

CoreBasis::CoreBasis(ParameterSet parameters, std::vector<Frame> frames, double step, nlohmann::json description)
    : parameters_(std::move(parameters)), frames_(std::move(frames)), step_(step), description_(std::move(description)) {
  dims_.assign(parameters_.groups.size(), 0);
  int64_t coordinate = 0;
  for (const Frame& frame : frames_) {
    const Slice* slice = parameters_.layout.find(frame.tensor);
    if (!slice) data_error("gradient_svd: no parameter '{}' among those of the basis", frame.tensor);
    const auto group = std::find_if(parameters_.groups.begin(), parameters_.groups.end(),
                                    [&](const Group& g) { return g.begin <= slice->offset && slice->offset < g.end; });
    const int64_t numbers = frame.values.numel() * frame.values.numel();
    dims_[static_cast<size_t>(group - parameters_.groups.begin())] += numbers;
    places_.push_back({slice, coordinate});
    coordinate += numbers;
  }
}

at::Tensor CoreBasis::weight_of(const at::Tensor& flat, size_t frame) const {
  const Slice& slice = *places_[frame].slice;
  return flat.narrow(0, slice.offset, slice.size).view(slice.shape);
}

void CoreBasis::expand(const at::Tensor& z, at::Tensor out) const {
  for (size_t f = 0; f < frames_.size(); ++f) {
    const Frame& frame = frames_[f];
    const int64_t r = frame.values.numel();
    at::Tensor core = z.narrow(0, places_[f].coordinate, r * r).view({r, r});
    if (step_ > 0) core = core - step_ * at::diag(frame.values);
    weight_of(out, f).addmm_(frame.u.matmul(core), frame.v.t());
  }
}

at::Tensor CoreBasis::project(const at::Tensor& /*z*/, const at::Tensor& g) const {
  std::vector<at::Tensor> parts;
  for (size_t f = 0; f < frames_.size(); ++f) parts.push_back(frames_[f].u.t().matmul(weight_of(g, f)).matmul(frames_[f].v).flatten());
  return at::cat(parts);
}

void CoreBasis::save(const std::filesystem::path& folder) const {
  std::map<std::string, at::Tensor> tensors;
  nlohmann::json names = nlohmann::json::array();
  for (const Frame& frame : frames_) {
    names.push_back({{"tensor", frame.tensor}, {"share", frame.share}});
    tensors[frame.tensor + ".u"] = frame.u;
    tensors[frame.tensor + ".v"] = frame.v;
    tensors[frame.tensor + ".s"] = frame.values;
  }
  write_tensors(folder / frames_name, tensors);
  const nlohmann::json index = {
      {"form", "cores"}, {"step", step_}, {"layout", parameters_.layout.digest()}, {"frames", names}, {"description", description_}};
  write_durable(folder / index_name, index.dump(1) + "\n");
}

int64_t CoreBasis::bytes_shipped() const {
  int64_t numbers = 0;
  for (const Frame& frame : frames_) numbers += frame.u.numel() + frame.v.numel() + frame.values.numel();
  return 4 * numbers;
}

std::unique_ptr<Subspace> CoreBasis::load(const std::filesystem::path& folder, const ParameterSet& parameters,
                                          const nlohmann::json& index) {
  if (index.at("layout") != parameters.layout.digest()) data_error("{}: the basis belongs to another parameter set", folder.string());
  const auto file = SafetensorsFile::open(folder / frames_name);
  std::vector<Frame> frames;
  for (const auto& entry : index.at("frames")) {
    const auto name = entry.at("tensor").get<std::string>();
    Frame frame{name, stored(file, name + ".u"), stored(file, name + ".v"), stored(file, name + ".s"), entry.at("share").get<double>()};
    const Slice* slice = parameters.layout.find(name);
    const int64_t r = frame.values.numel();
    if (!slice || slice->shape != std::vector<int64_t>{frame.u.size(0), frame.v.size(0)} || frame.u.size(1) != r || frame.v.size(1) != r)
      data_error("{}: the directions of '{}' have other shapes than the parameter", folder.string(), name);
    frames.push_back(std::move(frame));
  }
  return std::make_unique<CoreBasis>(parameters, std::move(frames), index.at("step").get<double>(), index.at("description"));
}

}  // namespace tsrun::gradient_svd
