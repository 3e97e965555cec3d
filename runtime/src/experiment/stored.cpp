#include "experiment/stored.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/tune/rounded_basis.h"

#include <set>

namespace tsrun::experiment {

static constexpr const char* constants_file = "constants.safetensors";

std::filesystem::path folder_of(Lab& lab, const ArtifactRef& ref) {
  // A trajectory recorded during a training is a folder inside that training's artifact, as a joint space's decoders are inside its own.
  if (ref.stage.empty()) return lab.store().get(ref.kind, ref.key).path;
  return lab.store().get(ref.stage, ref.key).path / (ref.inside.empty() ? ref.kind : ref.inside);
}

at::Tensor coordinates_of(Lab& lab, const TrainingRef& training, const std::string& which) {
  const auto path = folder_of(lab, training) / "coordinates.safetensors";
  const SafetensorsFile file = SafetensorsFile::open(path);
  const char* name = which == "best" ? "z_best" : "z";
  const TensorInfo* z = file.find(name);
  if (!z) data_error("{}: holds no '{}'", path.string(), name);
  return as_float32(*z).clone();
}

Trajectory trajectory_of(Lab& lab, const TrajectoryRef& ref) { return Trajectory::open(folder_of(lab, ref)); }

std::shared_ptr<const Subspace> subspace_in(const PluginHost& plugins, const std::filesystem::path& folder) {
  static const RoundedMaker rounded;
  return load_subspace(folder, [&](const std::string& method) -> const SubspaceMaker& {
    return method == rounded.name() ? rounded : plugins.subspace_maker(method);
  });
}

std::shared_ptr<const Subspace> subspace_of(Lab& lab, const ArtifactRef& ref) { return subspace_in(lab.plugins(), folder_of(lab, ref)); }

std::shared_ptr<const Mask> mask_of(Lab& lab, const MaskRef& ref) { return std::make_shared<const Mask>(load_mask(folder_of(lab, ref))); }

Scope scope_of(Lab& lab, const ScopeRef& ref) { return load_scope(folder_of(lab, ref)); }

std::filesystem::path solution_file(Lab& lab, const TrainingRef& training, const std::string& which) {
  const auto file = folder_of(lab, training) / (which + ".safetensors");
  if (!std::filesystem::exists(file)) fail_not_kept(training, which, "solution");
  return file;
}

Weights solution_weights(Lab& lab, const TrainingRef& training, const std::string& which, const Family& family) {
  return load_weights(solution_file(lab, training, which), family);
}

Weights weights_with_solution(Lab& lab, const TrainingRef& training, const std::string& which, const Model& model) {
  Weights weights = model.weights;
  const Weights trained = solution_weights(lab, training, which, *model.family);
  for (const std::string& name : trained.names()) weights.set(name, trained.at(name));
  take_constants(folder_of(lab, training), weights);
  return weights;
}

Weights parameters_in(const Model& model) {
  Weights parameters;
  for (const ParameterInfo& info : model.family->parameters()) parameters.set(info.name, model.weights.at(info.name));
  return parameters;
}

void save_constants(const Model& model, const std::filesystem::path& folder) {
  std::set<std::string> parameters;
  for (const ParameterInfo& info : model.family->parameters()) parameters.insert(info.name);
  Weights constants;
  for (const std::string& name : model.weights.names())
    if (!parameters.contains(name)) constants.set(name, model.weights.at(name));
  if (constants.size() > 0) save_weights(constants, folder / constants_file);
}

void take_constants(const std::filesystem::path& folder, Weights& weights) {
  if (!std::filesystem::exists(folder / constants_file)) return;
  const SafetensorsFile file = SafetensorsFile::open(folder / constants_file);
  for (const TensorInfo& tensor : file.tensors()) weights.set(tensor.name, as_float32(tensor));
}

at::Tensor update_of(Lab& lab, const TrainingRef& training, const ParameterSet& set, const Family& family, const Weights& origin) {
  const auto file = folder_of(lab, training) / "coordinates.safetensors";
  if (!training.subspace || !std::filesystem::exists(file))
    return flatten(solution_weights(lab, training, "last", family), set.layout) - flatten(origin, set.layout);
  const auto subspace = subspace_of(lab, *training.subspace);
  if (const auto difference = first_difference(set.layout, subspace->parameters().layout))
    data_error("the basis has another layout: {}", *difference);
  at::Tensor update = at::zeros({set.layout.total()});
  subspace->expand(as_tensor(*SafetensorsFile::open(file).find("z")), update);
  return update;
}

}  // namespace tsrun::experiment
