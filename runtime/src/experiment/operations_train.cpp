#include "experiment/stored.h"
#include "experiment/train_request.h"
#include "experiment/training_job.h"
#include "experiment/training_summary.h"

#include "tsrun/base/files.h"

#include "tsrun/base/suggest.h"
#include "tsrun/model/parts.h"
#include "tsrun/train/train.h"

#include <algorithm>

/// The operation `train`: full space, within a subspace, or parts of a model only, with or without masks.
namespace tsrun {

using nlohmann::json;

namespace experiment {
namespace {

void keep_weights(const TrainResult& result, const std::string& keep, const std::filesystem::path& out) {
  if (keep == "none") return;
  save_weights(result.last_weights, out / "last.safetensors");
  if (keep == "all") save_weights(result.best_weights, out / "best.safetensors");
}

/// Gives the artifact the files of observers and log. They stay in the work folder, too: until the commit is done, a later attempt may have
/// to resume from there. It replaces files whole and writes into none, so that links are safe.
void share(const std::filesystem::path& work, const std::filesystem::path& out) {
  namespace fs = std::filesystem;
  for (const char* name : {"trajectory", "mean.safetensors", "metrics.jsonl"}) {
    if (!fs::exists(work / name)) continue;
    std::error_code refused;
    fs::copy(work / name, out / name, fs::copy_options::recursive | fs::copy_options::create_hard_links, refused);
    if (!refused) continue;
    fs::remove_all(out / name);  // a file system without links
    fs::copy(work / name, out / name, fs::copy_options::recursive);
  }
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
  const std::string& keep = request.options.text("keep");
  TaskModel start = initial_task_model(lab, request.task, request.initial);
  std::vector<GeometryPoint> geometry;
  const TrainResult result = train(training_job(lab, request, start, title, work, geometry));
  save_result(result, keep, out);
  save_outcomes(result, request.options.text("eval_split"), out);
  if (keep != "none") save_constants(start.model, out);
  share(work, out);
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
  if (request.within) steps.merge(StepsByTraining(request.within->basis.rests_on));
  if (request.within && request.within->reach_of) steps.merge(StepsByTraining(request.within->reach_of->rests_on));
  if (request.initial.origin)
    for (const auto& solution : request.initial.origin->solutions) steps.merge(with_own_steps(*solution));
  if (request.scope) steps.merge(StepsByTraining(request.scope->rests_on));
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
  training.facts["split"] = request.options.text("eval_split");
  training.steps = training.facts.value("steps", int64_t{0});
  training.rests_on = behind(request);
  if (request.record) training.trajectory = trajectory_inside(training);
  return training.to_json();
}

}  // namespace

}  // namespace experiment

std::vector<Operation> training_operations() {
  return {{.name = "train",
           .doc = "Fine-tunes a model on a task and evaluates it; keeps best and last.",
           .options = experiment::training_options(),
           .result = "train",
           .run = experiment::run_train,
           .version = 9,  // deltas of one module build on each other, and on the weights that the training starts from
           .named = true}};
}

}  // namespace tsrun
