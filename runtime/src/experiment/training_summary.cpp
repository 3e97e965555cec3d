#include "experiment/training_summary.h"

namespace tsrun::experiment {

using nlohmann::json;

namespace {

/// Up to this many coordinates are returned to the recipe.
constexpr int64_t kShownCoordinates = 1024;

std::vector<float> listed(const at::Tensor& vector) {
  const at::Tensor host = vector.cpu().contiguous();
  return {host.const_data_ptr<float>(), host.const_data_ptr<float>() + host.numel()};
}

}  // namespace

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

}  // namespace tsrun::experiment
