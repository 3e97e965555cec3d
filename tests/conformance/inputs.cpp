#include "tsrun/plugin_testing/subspace.h"

#include "tsrun/base/error.h"
#include "tsrun/tune/joint_method.h"

#include <ATen/ATen.h>

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

SmallInputs::SmallInputs(int64_t points, RowType type) : root_(temporary_folder()), parameters_(small_parameters()) {
  const int64_t total = parameters_.layout.total();
  origin_ = normals(11, total, 0.05);
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

std::unique_ptr<Subspace> decoder(const JointMethod& method, const SmallInputs& inputs, const nlohmann::json& options, uint64_t seed) {
  const Options resolved = method.options().resolve(options, method.name());
  return std::move(method.decompose(inputs.joint_inputs(seed), resolved).decoders.at(0));
}

at::Tensor materialise(const Subspace& subspace) {
  at::Tensor v = at::zeros({subspace.dim(), subspace.parameters().layout.total()}, at::kFloat);
  for (int64_t k = 0; k < subspace.dim(); ++k) {
    at::Tensor unit = at::zeros({subspace.dim()}, at::kFloat);
    unit[k] = 1;
    subspace.expand(unit, v[k]);
  }
  return v;
}

}  // namespace tsrun::plugin_testing
