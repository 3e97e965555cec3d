#include "experiment/joint_solutions.h"
#include "experiment/stored.h"
#include "experiment/summaries.h"
#include "experiment/taken_options.h"
#include "experiment/train_request.h"

#include "tsrun/base/error.h"
#include "tsrun/base/files.h"

#include "tsrun/base/suggest.h"
#include "tsrun/experiment/geometry.h"
#include "tsrun/model/parts.h"
#include "tsrun/train/geometry_recorder.h"
#include "tsrun/train/train.h"
#include "tsrun/tune/reach.h"

#include <algorithm>
#include <cmath>
#include <set>

/// The operation `train`: full space, within a subspace, or parts of a model only, with or without masks.
namespace tsrun {

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

void keep_weights(const TrainResult& result, const std::string& keep, const std::filesystem::path& out) {
  if (keep == "none") return;
  save_weights(result.last_weights, out / "last.safetensors");
  if (keep == "all") save_weights(result.best_weights, out / "best.safetensors");
}

/// Moves the files of observers and log from the work folder into the artifact.
void move_in(const std::filesystem::path& work, const std::filesystem::path& out) {
  for (const char* name : {"trajectory", "mean.safetensors", "metrics.jsonl"}) {
    if (std::filesystem::exists(work / name)) std::filesystem::rename(work / name, out / name);
  }
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

/// Up to this many coordinates are returned to the recipe.
constexpr int64_t kShownCoordinates = 1024;

std::vector<float> listed(const at::Tensor& vector) {
  const at::Tensor host = vector.cpu().contiguous();
  return {host.const_data_ptr<float>(), host.const_data_ptr<float>() + host.numel()};
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

/// Coordinates for the recipe.
struct ShownCoordinates {
  std::vector<float> last, best;
};

/// The result of ts.train: scores, the trainer's report, coordinates, and the parameters that were new.
struct TrainingSummary {
  TrainSummary training;
  std::optional<TrainReport> report;  ///< absent of a plan
  std::optional<ShownCoordinates> coordinates;
  std::vector<std::string> initialised, reinitialised;  ///< parameters
  ModelRef model;                                       ///< for the tokenizer and config of `tsrun predict`
  double step_seconds = 0;
  std::vector<GeometryPoint> geometry;  ///< of embeddings, where it was recorded

  static TrainingSummary planned(const TrainRequest& request);
  static TrainingSummary of(const TrainRequest& request, const TrainResult& result, const TaskModel& start);
  json to_json() const;
};

TrainingSummary TrainingSummary::planned(const TrainRequest& request) {
  TrainingSummary plan;
  plan.training.metric = request.task.metric;
  plan.model = request.model();
  if (request.options.integer("geometry_every") > 0) plan.geometry.resize(2);  // start and end
  return plan;
}

TrainingSummary TrainingSummary::of(const TrainRequest& request, const TrainResult& result, const TaskModel& start) {
  const Task& task = start.task;
  TrainingSummary summary;
  summary.report = result.report;
  summary.step_seconds = result.step_seconds;
  summary.training = {.best = Score::of(result.best, task),
                      .last = Score::of(result.last, task),
                      .metric = task.metrics.front(),
                      .trainable = result.report.trainable,
                      .degrees_of_freedom = result.report.degrees_of_freedom,
                      .bytes_shipped = result.report.bytes_shipped};
  if (result.coordinates.defined() && result.coordinates.numel() <= kShownCoordinates)
    summary.coordinates = {listed(result.coordinates), listed(result.best_coordinates)};
  summary.initialised = start.model.initialised;
  summary.reinitialised = start.reinitialised;
  summary.model = request.model();
  return summary;
}

json TrainingSummary::to_json() const {
  json summary = report ? report->to_json() : json::object();
  summary.update(training.to_json());
  if (coordinates) summary["coordinates"] = {{"last", coordinates->last}, {"best", coordinates->best}};
  summary["initialised"] = initialised;
  if (step_seconds > 0) summary["measured"] = {{"step_seconds", step_seconds}};
  for (const GeometryPoint& point : geometry) summary["geometry"].push_back(tsrun::to_json(point));
  if (!reinitialised.empty()) summary["reinitialised"] = reinitialised;
  summary["model"] = model.to_json();
  return summary;
}

/// Nothing for tasks without an answer a row.
void save_outcomes(const TrainResult& result, const std::string& split, const std::filesystem::path& out) {
  if (result.last_rows.rows() == 0) return;
  const json outcomes = {{"format", 1}, {"split", split}, {"last", result.last_rows.to_json()}, {"best", result.best_rows.to_json()}};
  write_durable(out / "outcomes.json", outcomes.dump() + "\n");
}

void save_result(const TrainResult& result, const std::string& keep, const std::filesystem::path& out) {
  keep_weights(result, keep, out);
  if (!result.coordinates.defined()) return;
  const at::Tensor z = result.coordinates.cpu().contiguous(), best = result.best_coordinates.cpu().contiguous();
  write_safetensors(out / "coordinates.safetensors", std::vector<TensorInfo>{as_info("z", z), as_info("z_best", best)});
}

TrainingSummary train_into(Lab& lab, const TrainRequest& request, const std::string& title, const std::filesystem::path& out,
                           const std::filesystem::path& work) {
  const Options& o = request.options;
  TaskModel start = initial_task_model(lab, request.task, request.initial);
  Task& task = start.task;
  const Model& model = start.model;
  limit_rows(task, "train", o.integer("rows"), o.flag("stratify") ? RowChoice::stratified : RowChoice::random);

  TrainJob job;
  job.model = &model;
  job.task = &task;
  job.eval_split = o.text("eval_split");
  job.options = taken_options(train_options(), o);
  job.tune = tune_options(lab, request);
  job.tune.scope = trained_scope(lab, request, *model.family, start.trained_parameters, job.tune.subspace.get());
  if (job.tune.subspace) {
    check_joint_start(lab, request.within->basis, *job.tune.subspace, model);
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
  std::vector<GeometryPoint> geometry;
  if (auto recording = geometry_recording(o, *model.family))
    job.observers.push_back(make_geometry_recorder(std::move(*recording), geometry));
  const TrainResult result = train(std::move(job));
  save_result(result, o.text("keep"), out);
  save_outcomes(result, o.text("eval_split"), out);
  if (o.text("keep") != "none") save_constants(model, out);
  move_in(work, out);
  TrainingSummary summary = TrainingSummary::of(request, result, start);
  summary.geometry = std::move(geometry);
  return summary;
}

std::string title_of(const Lab& lab, const TrainRequest& request) {
  std::string what = request.within ? "train within subspace" : "train";
  if (request.scope) what += fmt::format(", scope of {}", request.scope->method);
  for (const StepPluginRequest& plugin : request.step_plugins) what += ", " + plugin.name;
  if (request.zero) what += ", weights zeroed";
  if (request.held) what += ", weights held";
  if (request.initial.origin) what += ", from another solution";
  if (request.initial.reinit_layers > 0) what += fmt::format(", {} layers drawn anew", request.initial.reinit_layers);
  for (const DeltaRef& delta : request.model().deltas) what += " " + delta.method;
  if (!request.within && request.parts.size() < own_part_names().size() && !request.model().adapted())
    what += fmt::format(" {} only", join_words(request.parts));
  return lab.title_of(what, request.initial.seed);
}

/// Rows that the training reads: its time is proportional.
double work_of(const TrainRequest& request) {
  const Options& o = request.options;
  const auto train = request.task.splits.find("train");
  const int64_t all = train == request.task.splits.end() ? 1 : train->second.rows, limit = o.integer("rows");
  const double rows = static_cast<double>(limit > 0 ? std::min(limit, all) : all);
  const int64_t steps = o.integer("max_steps"), batch = o.integer("batch_size") * o.integer("gradient_accumulation_steps");
  return steps > 0 ? static_cast<double>(steps * batch) : rows * static_cast<double>(o.integer("epochs"));
}

/// The trajectory that a training recorded, a folder inside its artifact.
TrajectoryRef trajectory_inside(const TrainingRef& training) {
  TrajectoryRef trajectory;
  trajectory.kind = "trajectory";
  trajectory.stage = training.kind;
  trajectory.key = training.key;
  trajectory.planned = training.planned;
  trajectory.model = training.model;
  trajectory.rests_on = with_own_steps(training);
  return trajectory;
}

/// Steps of the trainings behind a request's inputs.
StepsByTraining behind(const TrainRequest& request) {
  StepsByTraining steps;
  if (request.within && request.within->basis.trajectory) steps.merge(StepsByTraining(request.within->basis.trajectory->rests_on));
  if (request.within && request.within->reach_of) steps.merge(StepsByTraining(request.within->reach_of->rests_on));
  if (request.initial.origin)
    for (const auto& solution : request.initial.origin->solutions) steps.merge(with_own_steps(*solution));
  for (const auto& mask : {request.zero, request.held})
    if (mask) steps.merge(with_own_steps(mask->solution));
  return steps;
}

json run_train(Lab& lab, const Options& given) {
  const TrainRequest request = TrainRequest::from(lab, given);
  const std::string title = title_of(lab, request);
  auto training = ref_to<TrainingRef>(lab.stage(
      request.key(), title, TrainingSummary::planned(request).to_json(),
      [&](const auto& out, const auto& work) { return train_into(lab, request, title, out, work).to_json(); }, work_of(request)));
  training.task = request.task;
  training.model = request.model();
  training.seed = request.initial.seed;
  training.keep = request.options.text("keep");
  training.fresh = request.initial.fresh;
  training.origin = request.initial.origin;
  training.reinit_layers = request.initial.reinit_layers;
  if (request.within) training.subspace = request.within->basis.place();
  training.steps = training.facts.value("steps", int64_t{0});
  training.rests_on = behind(request);
  if (request.record) training.trajectory = trajectory_inside(training);
  return training.to_json();
}

}  // namespace

std::vector<Operation> training_operations() {
  return {{.name = "train",
           .doc = "Fine-tunes a model on a task and evaluates it; keeps best and last.",
           .options = training_options(),
           .run = run_train,
           .version = 2,  // outcomes.json
           .named = true}};
}

}  // namespace tsrun
