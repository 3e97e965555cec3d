#include "tsrun/plugin_testing/subspace.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/tune/joint_method.h"

#include <stdlib.h>

#include <cmath>

namespace tsrun::plugin_testing {
namespace {

namespace fs = std::filesystem;

fs::path temporary_folder() {
  std::string pattern = (fs::temp_directory_path() / "tsrun-conformance-XXXXXX").string();
  if (!mkdtemp(pattern.data())) run_error("{}: cannot be created", pattern);
  return pattern;
}

ParameterSet small_parameters() {
  ParameterSet set;
  for (int layer = 0; layer < 2; ++layer) {
    const std::string prefix = fmt::format("encoder.layer.{}.", layer);
    const int64_t begin = set.layout.total();
    set.layout.add(prefix + "dense.weight", {47, 61}).add(prefix + "dense.bias", {47}).add(prefix + "LayerNorm.weight", {61});
    set.groups.push_back({fmt::format("layer {}", layer), begin, set.layout.total()});
  }
  return set;
}

at::Tensor normals(uint64_t seed, int64_t count, double scale) {
  at::Tensor result = at::empty({count}, at::kFloat);
  fill_normal(Key::root(seed), {result.data_ptr<float>(), static_cast<size_t>(count)}, 0, 0, static_cast<float>(scale));
  return result;
}

}  // namespace

QuadraticProbe::QuadraticProbe(ParameterSet parameters, at::Tensor origin)
    : parameters_(std::move(parameters)), origin_(std::move(origin)) {
  for (size_t g = 0; g < parameters_.groups.size(); ++g) {
    const int64_t size = parameters_.groups[g].size();
    const at::Tensor drawn = normals(400 + g, 4 * size, 1).view({4, size});
    directions_.push_back(std::get<0>(at::linalg_qr(drawn.t().to(at::kDouble))).t().to(at::kFloat).contiguous());
  }
}

Probe::HiddenStates QuadraticProbe::hidden(const Weights& /*weights*/, std::span<const int64_t> /*rows*/, int /*layer*/) { return {}; }
Probe::LabelStates QuadraticProbe::label_states(const Weights& /*weights*/, std::span<const int64_t> /*rows*/) { return {}; }

at::Tensor QuadraticProbe::slope(int64_t row) const { return normals(300 + static_cast<uint64_t>(row), parameters_.layout.total(), 1); }
at::Tensor QuadraticProbe::directions(size_t group) const { return directions_[group]; }

Probe::LossAndGradient QuadraticProbe::loss_and_gradient(const Weights& weights, std::span<const int64_t> rows,
                                                         std::optional<Key> /*dropout*/) {
  const at::Tensor move = flatten(weights, parameters_.layout) - origin_;
  at::Tensor gradient = at::zeros_like(move);
  for (const int64_t row : rows) gradient.add_(slope(row), 1.0 / static_cast<double>(rows.size()));
  double loss = gradient.dot(move).item<double>();
  const at::Tensor values = at::tensor(at::ArrayRef<double>(eigenvalues), at::kFloat);
  for (size_t g = 0; g < directions_.size(); ++g) {
    const Group& group = parameters_.groups[g];
    const at::Tensor inside = directions_[g].mv(move.slice(0, group.begin, group.end));
    gradient.slice(0, group.begin, group.end).add_(directions_[g].t().mv(values * inside));
    loss += (values * inside * inside).sum().item<double>() / 2;
  }
  return {loss, unflatten(gradient, parameters_.layout)};
}

SmallInputs::SmallInputs(int64_t points, RowType type) : root_(temporary_folder()), parameters_(small_parameters()) {
  const int64_t total = parameters_.layout.total();
  origin_ = normals(11, total, 0.05);
  weights_ = unflatten(origin_, parameters_.layout);
  probe_ = std::make_unique<QuadraticProbe>(parameters_, origin_);
  TrajectoryWriter writer(root_ / "trajectory", parameters_.layout, origin_, type);
  at::Tensor weights = origin_.clone();
  const at::Tensor drift = normals(12, total, 1e-3);
  for (int64_t i = 0; i < points; ++i) {
    const double rate = 1 - static_cast<double>(i) / static_cast<double>(points);
    weights = weights + rate * drift + normals(100 + static_cast<uint64_t>(i), total, 3e-4 * rate);
    writer.append({i + 1, static_cast<double>(i + 1)}, weights);
  }
  trajectory_ = std::make_unique<Trajectory>(Trajectory::open(root_ / "trajectory"));
}

SmallInputs::~SmallInputs() {
  std::error_code ignored;
  fs::remove_all(root_, ignored);
}

SubspaceInputs SmallInputs::inputs(uint64_t seed) const {
  SubspaceInputs inputs;
  inputs.parameters = parameters_;
  inputs.origin = origin_;
  inputs.trajectory = trajectory_.get();
  inputs.key = Key::root(seed);
  inputs.scratch = folder("scratch");
  inputs.weights = &weights_;
  inputs.probe = probe_.get();
  return inputs;
}

fs::path SmallInputs::folder(const std::string& name) const {
  const fs::path path = root_ / name;
  fs::remove_all(path);
  fs::create_directories(path);
  return path;
}

JointInputs SmallInputs::joint_inputs(uint64_t seed) const {
  constexpr uint64_t tasks = 3;
  JointMember member;
  member.name = "member";
  member.parameters = {parameters_.layout, {{"whole", 0, parameters_.layout.total()}}};
  member.origin = origin_;
  for (uint64_t task = 0; task < tasks; ++task) member.deltas.push_back({normals(200 + task, parameters_.layout.total(), 0.02)});
  JointInputs inputs;
  inputs.members.push_back(std::move(member));
  inputs.key = Key::root(seed);
  return inputs;
}

std::unique_ptr<Subspace> discover(const SubspaceMethod& method, const SmallInputs& inputs, const nlohmann::json& options, uint64_t seed) {
  return method.discover(inputs.inputs(seed), method.options().resolve(options, method.name()));
}

at::Tensor materialise(const Subspace& subspace) {
  at::Tensor v = at::zeros({subspace.dim(), subspace.parameters().layout.total()}, at::kFloat);
  for (int64_t k = 0; k < subspace.dim(); ++k) {
    at::Tensor unit = at::zeros({subspace.dim()}, at::kFloat);
    unit[k] = 1;
    subspace.expand(unit, v[k]);
  }
  if (subspace.linear()) return v;
  at::Tensor at_zero = at::zeros({v.size(1)}, at::kFloat);
  subspace.expand(at::zeros({subspace.dim()}, at::kFloat), at_zero);
  v.sub_(at_zero);
  return v;
}

}  // namespace tsrun::plugin_testing
