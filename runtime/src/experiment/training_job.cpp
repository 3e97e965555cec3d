#include "experiment/training_job.h"

#include "experiment/joint_solutions.h"
#include "experiment/stored.h"
#include "experiment/taken_options.h"

#include "tsrun/base/error.h"
#include "tsrun/model/parts.h"
#include "tsrun/train/geometry_recorder.h"
#include "tsrun/tune/reach.h"

#include <algorithm>
#include <set>

namespace tsrun::experiment {

namespace {

using nlohmann::json;

TuneOptions tune_options(Lab& lab, const TrainRequest& request) {
  const Options& o = request.options;
  TuneOptions tune;
  tune.lr = o.number("lr");
  tune.lr_embeddings = o.number("lr_embeddings");
  tune.lr_head = o.number("lr_head");
  tune.weight_decay = o.number("weight_decay");
  tune.hold_zero = o.flag("hold");
  if (request.zero) tune.zeroed = mask_of(lab, *request.zero);
  if (request.held) tune.held = mask_of(lab, *request.held);
  if (request.within) {
    tune.subspace = subspace_of(lab, request.within->basis);
    tune.lr_subspace = request.within->lr;
    tune.init_deviation = request.within->init;
    tune.ensemble = request.within->ensemble;
  }
  return tune;
}

/// Beside a subspace, `within` says which of a model's own parts are trained; of an adapted model `train` does.
std::set<Part> trained_parts(const TrainRequest& request) {
  std::set<Part> parts;
  for (const std::string& name : request.parts) parts.insert(parse_part(name, "train: option 'train'"));
  if (!request.within) return parts;
  const Within& within = *request.within;
  parts.erase(Part::encoder);
  parts.erase(Part::decoder);
  if (!within.head) parts.erase(Part::head);
  if (request.model().adapted()) return parts;
  if (!within.embeddings) parts.erase(Part::embeddings);
  if (!within.pooler) parts.erase(Part::pooler);
  return parts;
}

/// `also`: parameters that deltas train beside their own.
Scope trained_scope(Lab& lab, const TrainRequest& request, const Family& family, const std::vector<std::string>& also,
                    const Subspace* subspace) {
  const std::set<Part> parts = trained_parts(request);
  const Layout* spanned = subspace ? &subspace->parameters().layout : nullptr;
  Scope scope = scope_of_parts(family, parts, parts.contains(Part::delta) ? also : std::vector<std::string>(), spanned);
  if (request.scope) {
    const Scope chosen = scope_of(lab, *request.scope);
    chosen.check(family, "train: scope");
    if (!chosen.restricts(family)) user_error("train: the scope freezes nothing and masks nothing");
    scope = intersection(scope, chosen);
  }
  scope.compact = scope.compact || request.options.flag("compact");
  scope.cache_prefix = scope.cache_prefix || request.options.flag("cache_prefix");
  const auto is_masked = [](const auto& named) { return named.second.mask.defined(); };
  if (scope.compact && std::none_of(scope.parameters.begin(), scope.parameters.end(), is_masked))
    user_error("train: nothing reads option 'compact': the scope masks no parameter; expected it left out");
  return scope;
}

/// Distances of the coordinates to the update that they should reach; none where it is not known.
std::vector<double> distances_of(Lab& lab, const Within& within, const Subspace& subspace) {
  const bool asked = within.reach || within.reach_of || within.reach_length;
  if (!within.has_distance() || (!asked && !subspace.linear())) return {};
  const ParameterSet& set = subspace.parameters();
  if (within.reach_length) return spread_coordinates(subspace, std::vector<double>(set.groups.size(), *within.reach_length));
  const Trajectory trajectory = trajectory_of(lab, within.reach_of ? *within.reach_of : *within.basis.trajectory);
  if (const auto difference = first_difference(set.layout, trajectory.layout()))
    user_error("train: tune: the trajectory of 'reach_of' was recorded over other parameters than the subspace's: {}", *difference);
  const at::Tensor update = last_update(trajectory);
  if (!within.reach_of && subspace.claims_orthonormal()) return largest_coordinates(subspace, update);
  return spread_coordinates(subspace, group_lengths(set, update));
}

std::vector<std::unique_ptr<Observer>> recorders(const Record& record, const Family& family, const std::filesystem::path& work) {
  const auto set = select_parameters(family, record.parameters);
  std::vector<std::unique_ptr<Observer>> observers;
  observers.push_back(make_trajectory_recorder(work / "trajectory", set, record.type, record.every));
  observers.push_back(make_weight_averager(work / "mean.safetensors", record.every));
  return observers;
}

/// Nothing where no geometry is asked for. @throws Error(user) when the model lacks the parameter
std::optional<GeometryRecording> geometry_recording(const Options& o, const Family& family) {
  if (o.integer("geometry_every") == 0) return std::nullopt;
  const ParameterInfo* words = word_embeddings(family);
  const bool scores = o.text("geometry_of") == "output_embeddings";
  GeometryRecording recording{.parameter = scores ? family.label_matrix() : words ? words->name : "", .every = o.integer("geometry_every")};
  if (recording.parameter.empty())
    user_error("train: option 'geometry_of' is \"{}\", but a '{}' model with a {} head has none", o.text("geometry_of"),
               family.model_type(), name_of(family.head().kind));
  return recording;
}

}  // namespace

TrainJob training_job(Lab& lab, const TrainRequest& request, TaskModel& start, const std::string& title, const std::filesystem::path& work,
                      std::vector<GeometryPoint>& geometry) {
  const Options& o = request.options;
  const Model& model = start.model;
  limit_training_rows(start.task, o);
  TrainJob job;
  job.model = &model;
  job.task = &start.task;
  job.eval_split = o.text("eval_split");
  job.options = taken_options(train_options(), o);
  job.tune = tune_options(lab, request);
  job.tune.scope = trained_scope(lab, request, *model.family, start.trained_parameters, job.tune.subspace.get());
  if (job.tune.subspace) {
    check_joint_start(lab, request.within->basis, *job.tune.subspace, model);
    check_dropped_start(lab, request.within->basis, *job.tune.subspace, model);
    job.distances = distances_of(lab, *request.within, *job.tune.subspace);
    job.reach = request.within->reach;
  }
  for (const StepPluginRequest& plugin : request.step_plugins) job.plugins.push_back(step_plugin_of(lab.plugins(), plugin));
  job.key = Key::root(static_cast<uint64_t>(request.initial.seed));
  job.device = lab.settings().device;
  job.work = work;
  job.cache_memory = static_cast<int64_t>(o.number("cache_memory") * (int64_t{1} << 30));
  job.title = title;
  if (request.record) job.observers = recorders(*request.record, *model.family, work);
  if (auto recording = geometry_recording(o, *model.family))
    job.observers.push_back(make_geometry_recorder(std::move(*recording), geometry));
  return job;
}

}  // namespace tsrun::experiment
