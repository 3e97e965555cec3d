#include "experiment/zoo.h"

#include "experiment/initial_weights.h"
#include "experiment/stored.h"
#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/base/hash.h"
#include "tsrun/base/operators.h"
#include "tsrun/base/suggest.h"
#include "tsrun/tune/flat_buffer.h"

#include <algorithm>

namespace tsrun::experiment {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kZooFormat = 2;
constexpr const char* kZooIndex = "zoo.json";

bool spans(const Layout& layout, const std::string& name) {
  return std::any_of(layout.slices().begin(), layout.slices().end(), [&](const auto& slice) { return slice.name == name; });
}

/// Parameters outside the basis that differ from the model's own, and those that a model's folder lacks.
std::vector<std::string> changed_beside(const Model& own, const Weights& solved, const Layout& spanned) {
  std::vector<std::string> names;
  const auto& drawn = own.initialised;
  for (const ParameterInfo& info : own.family->parameters()) {
    if (spans(spanned, info.name)) continue;
    const bool is_new = info.part == Part::head || std::find(drawn.begin(), drawn.end(), info.name) != drawn.end();
    if (is_new || !at::equal(own.weights.at(info.name), solved.at(info.name))) names.push_back(info.name);
  }
  return names;
}

/// θ0 + V z of the parameters that the basis spans, for the θ0 of `own`.
at::Tensor rebuilt(const Subspace& subspace, const Model& own, const at::Tensor& z) {
  at::Tensor theta = flatten(own.weights, subspace.parameters().layout).clone();
  subspace.expand(z, theta);
  return theta;
}

int64_t bytes_of(const at::Tensor& tensor) { return tensor.numel() * static_cast<int64_t>(sizeof(float)); }

/// A solution as its file will hold it.
struct Packed {
  std::map<std::string, at::Tensor> beside;
  at::Tensor z;

  void write(const fs::path& file) const {
    std::vector<TensorInfo> tensors = {as_info("z", z)};
    for (const auto& [name, tensor] : beside) tensors.push_back(as_info(name, tensor));
    write_safetensors(file, tensors);
  }
  ZooEntry entry(const std::string& name) const {
    ZooEntry entry{.name = name, .beside = {}, .bytes_coordinates = bytes_of(z)};
    for (const auto& [parameter, tensor] : beside) {
      entry.beside.push_back(parameter);
      entry.bytes_beside += bytes_of(tensor);
    }
    return entry;
  }
};

/// A device may round V z differently; a training that began elsewhere differs by more.
bool same_but_for_rounding(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>() <= 1e-5 * b.abs().max().item<double>();
}

/// Whether the constants of deltas are those that the training had: it may have drawn what they are made of.
bool has_its_constants(Lab& lab, const TrainingRef& solution, const Model& own) {
  Weights weights = own.weights;
  take_constants(folder_of(lab, solution), weights);
  const auto names = weights.names();
  return std::all_of(names.begin(), names.end(), [&](const auto& name) { return at::equal(weights.at(name), own.weights.at(name)); });
}

/// @throws Error(user) where the model's own weights and the coordinates do not give the solution
Packed pack(Lab& lab, const std::string& name, const TrainingRef& solution, const std::string& which, const Subspace& subspace) {
  const Model own = initial_task_model(lab, solution.task, {.model = solution.model}).model;
  const Weights solved = solution_weights(lab, solution, which, *own.family);
  const Layout& spanned = subspace.parameters().layout;
  Packed packed{.beside = {}, .z = coordinates_of(lab, solution, which)};
  if (!has_its_constants(lab, solution, own) || !same_but_for_rounding(rebuilt(subspace, own, packed.z), flatten(solved, spanned)))
    user_error(
        "zoo: solution '{}' began at other weights than the model's (origin, zero, or a delta without a seed of its own), which no "
        "receiver has",
        name);
  for (const std::string& changed : changed_beside(own, solved, spanned))
    packed.beside[changed] = solved.at(changed).to(at::kFloat).contiguous();
  return packed;
}

/// The files of a subspace's artifact, without what the store keeps beside them.
void copy_basis(const fs::path& from, const fs::path& to) {
  fs::create_directories(to);
  for (const auto& entry : fs::directory_iterator(from)) {
    const std::string name = entry.path().filename();
    if (!entry.is_regular_file() || name == "artifact.json" || name == "manifest.json") continue;
    std::error_code failed;
    fs::copy_file(fs::canonical(entry.path()), to / name, failed);
    if (failed) run_error("{}: cannot be copied to {}: {}", entry.path().string(), to.string(), failed.message());
  }
}

std::string file_of(const std::string& name) { return name + ".safetensors"; }

/// Of the weights that coordinates are added to.
std::string origin_digest(const Model& model, const Layout& layout) { return digest_of(flatten(model.weights, layout)); }

json index_of(Lab& lab, const ZooRequest& request, const Layout& spanned) {
  const TrainingRef& first = request.solutions.begin()->second;
  const Model own = initial_task_model(lab, first.task, {.model = first.model}).model;
  json tasks = json::array();
  for (const auto& [name, solution] : request.solutions) {
    tasks.push_back({{"name", name},
                     {"file", file_of(name)},
                     {"task", solution.task.spec},
                     {"task_key", solution.task.key},
                     {"metric", solution.task.metric},
                     {"score", solution.score(request.which)},
                     {"seed", solution.seed},
                     {"training", solution.key}});
  }
  return {{"format", kZooFormat},
          {"model", request.basis.model.spec},
          {"origin", origin_digest(own, spanned)},
          {"basis", {{"method", request.basis.method}, {"dim", request.basis.dim}, {"key", request.basis.key}}},
          {"which", request.which},
          {"tasks", tasks}};
}

/// Whether `folder` holds this zoo already.
bool holds(const fs::path& folder, const json& index) {
  if (!fs::exists(folder)) return false;
  if (fs::exists(folder / kZooIndex) && read_json(folder / kZooIndex) == index) return true;
  user_error("zoo: {} is there and holds something else: remove it, or name another folder", folder.string());
}

}  // namespace

void ZooRequest::check() const {
  if (basis.member) user_error("zoo: '{}' is a member of a joint space, expected a basis of ts.discover", *basis.member);
  if (solutions.empty()) user_error("zoo: option 'solutions' is empty, expected a training within the basis at least");
  for (const auto& [name, solution] : solutions) {
    if (name.empty() || name.find('/') != name.npos || name == "basis") user_error("zoo: '{}' is no name of a solution's file", name);
    if (!solution.subspace || solution.subspace->key != basis.key)
      user_error("zoo: solution '{}' was not trained within this basis ({:.8})", name, basis.key);
    require_kept(solution, which, fmt::format("zoo: '{}'", name));
    if (solution.fresh || solution.reinit_layers > 0)
      user_error("zoo: solution '{}' began with layers drawn anew, which no receiver has", name);
  }
}

json Zoo::to_json() const {
  json list = json::array();
  for (const ZooEntry& entry : entries)
    list.push_back({{"name", entry.name},
                    {"beside", entry.beside},
                    {"bytes_coordinates", entry.bytes_coordinates},
                    {"bytes_beside", entry.bytes_beside}});
  return {{"bytes_basis", bytes_basis}, {"solutions", list}};
}

Zoo write_zoo(Lab& lab, const ZooRequest& request, const fs::path& folder) {
  const auto subspace = subspace_of(lab, request.basis);
  const json index = index_of(lab, request, subspace->parameters().layout);
  const bool there = holds(folder, index);
  Zoo zoo{.bytes_basis = subspace->bytes_shipped(), .entries = {}};
  std::optional<DurableFolder> out;
  if (!there) copy_basis(folder_of(lab, request.basis), out.emplace(folder).path() / "basis");
  for (const auto& [name, solution] : request.solutions) {
    const Packed packed = pack(lab, name, solution, request.which, *subspace);
    zoo.entries.push_back(packed.entry(name));
    if (out) packed.write(out->path() / file_of(name));
  }
  if (!out) return zoo;
  write_durable(out->path() / kZooIndex, index.dump(1) + "\n");
  out->commit();
  return zoo;
}

ZooSolution ZooSolution::find(const fs::path& folder, const std::string& name) {
  const std::string path = (folder / kZooIndex).string();
  const json index = read_json(path);
  ZooSolution solution{.basis = folder / "basis", .file = {}, .model = {}, .origin = {}, .digests = {}};
  std::vector<std::string> names;
  try {
    if (index.at("format") != kZooFormat)
      data_error("{}: format {} is not the {} that this program reads", path, index["format"].dump(), kZooFormat);
    solution.model = index.at("model").get<std::string>();
    solution.origin = index.at("origin").get<std::string>();
    for (const json& task : index.at("tasks")) {
      names.push_back(task.at("name").get<std::string>());
      if (names.back() == name) solution.file = folder / fs::path(task.at("file").get<std::string>()).filename();
    }
  } catch (const json::exception& error) {
    data_error("{}: not a zoo: {}", path, error.what());
  }
  if (solution.file.empty()) user_error("{} has no solution '{}'{}", folder.string(), name, did_you_mean(name, names));
  solution.digests["solution"] = sha256_file(solution.file);
  for (const auto& entry : fs::directory_iterator(solution.basis))
    solution.digests["basis/" + entry.path().filename().string()] = sha256_file(entry.path());
  return solution;
}

TakenSolution take_zoo_solution(const PluginHost& plugins, const ZooSolution& solution, Model& model) {
  const auto subspace = subspace_in(plugins, solution.basis);
  const Layout& layout = subspace->parameters().layout;
  check_layout(layout, *model.family, "the zoo's basis");
  if (origin_digest(model, layout) != solution.origin)
    user_error("from_zoo: option 'model' has other weights than the model that the zoo is of ({})", solution.model);
  const SafetensorsFile file = SafetensorsFile::open(solution.file);
  const TensorInfo* stored = file.find("z");
  if (!stored || stored->shape != std::vector<int64_t>{subspace->dim()})
    data_error("{}: expected 'z' with {} coordinates", file.name(), subspace->dim());
  const at::Tensor z = as_float32(*stored).clone();
  const Weights spanned = unflatten(rebuilt(*subspace, model, z), layout);
  for (const std::string& name : spanned.names()) model.weights.set(name, spanned.at(name));
  for (const ParameterInfo& info : model.family->parameters()) {
    const TensorInfo* found = file.find(info.name);
    if (!found && info.part == Part::head) data_error("{}: holds no '{}', which the task needs", file.name(), info.name);
    if (!found) continue;
    if (found->shape != info.shape) data_error("{}: '{}' has another shape than the task asks for", file.name(), info.name);
    model.weights.set(info.name, as_float32(*found).clone());
  }
  return {z, subspace->bytes_shipped(), subspace->dims()};
}

}  // namespace tsrun::experiment
