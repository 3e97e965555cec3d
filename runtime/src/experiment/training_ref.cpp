#include "experiment/training_ref.h"

#include "experiment/handle_reader.h"
#include "tsrun/train/train.h"

#include <cmath>
#include <numeric>

namespace tsrun::experiment {

namespace {

using nlohmann::json;

/// Coordinates of all groups, which a result tells of a training within a subspace.
std::optional<int64_t> coordinates_in(const json& facts) {
  const json::json_pointer place("/binding/subspace/dims");
  if (!facts.contains(place)) return std::nullopt;
  const auto dims = facts.at(place).get<std::vector<int64_t>>();
  return std::accumulate(dims.begin(), dims.end(), int64_t{0});
}

/// NaN where a metric has no value: Lua drops it.
double score_in(const json& facts, const char* which) {
  const json score = facts.at(which).value("score", json());
  return score.is_null() ? std::nan("") : score.get<double>();
}

/// {"fresh", "origin", "reinit_layers"}, where the training began with anything but its model's weights.
void take_start(const json& fields, TrainingRef& training) {
  HandleReader reader(fields, "train");
  training.fresh = reader.take<bool>("fresh");
  training.origin = reader.find<Origin>("origin");
  training.reinit_layers = reader.find<int64_t>("reinit_layers").value_or(0);
}

/// What results tell, and recipes read too: it stays among the facts.
void read_facts(TrainingRef& training) {
  try {
    training.best = score_in(training.facts, "best");
    training.last = score_in(training.facts, "last");
    training.steps = training.facts.value("steps", int64_t{0});
    training.coordinates = coordinates_in(training.facts);
  } catch (const json::exception& error) {
    internal_error("a handle of kind 'train': {}", error.what());
  }
}

/// One solution stands under "solution", several under "solutions".
template <class Written>
json written(const Origin& origin, const Written& of_one) {
  json result = {{"which", origin.which}, {"parts", origin.parts}};
  if (origin.solutions.size() == 1) {
    result["solution"] = of_one(*origin.solutions.front());
  } else {
    for (const auto& solution : origin.solutions) result["solutions"].push_back(of_one(*solution));
  }
  return result;
}

}  // namespace

Origin Origin::from_json(const json& resolved) {
  HandleReader reader(resolved, "origin");
  Origin origin;
  const auto add = [&](TrainingRef solution) { origin.solutions.push_back(std::make_shared<const TrainingRef>(std::move(solution))); };
  if (auto one = reader.find<TrainingRef>("solution")) add(*std::move(one));
  for (TrainingRef& solution : handles_in<TrainingRef>(reader.find<json>("solutions").value_or(json::array()))) add(std::move(solution));
  if (origin.solutions.empty()) internal_error("an origin without a solution");
  origin.which = reader.take<std::string>("which");
  origin.parts = reader.take<std::vector<std::string>>("parts");
  return origin;
}

json Origin::to_json() const {
  return written(*this, [](const TrainingRef& solution) { return solution.to_json(); });
}

json Origin::identity() const {
  return written(*this, [](const TrainingRef& solution) { return solution.identity(); });
}

std::vector<TrainingRef> trainings_in(const json& list, const std::string& where) {
  return refs_in<TrainingRef>(list, "train", where + ": expected trainings of ts.train");
}

void fail_not_kept(const TrainingRef& solution, const std::string& which, const std::string& where) {
  user_error("{}: a solution of task '{}' (seed {}) kept no '{}' weights: train it with {}", where, solution.task.name, solution.seed,
             which,
             which == "mean"   ? "record = {…}"
             : which == "last" ? "keep = \"last\""
                               : "keep = \"all\"");
}

void require_kept(const TrainingRef& solution, const std::string& which, const std::string& where) {
  if (!solution.kept(which)) fail_not_kept(solution, which, where);
}

TrainingRef TrainingRef::from_json(const json& handle) {
  HandleReader reader(handle, "train");
  TrainingRef training;
  take_artifact(reader, training);
  training.task = reader.take<TaskRef>("task");
  training.model = reader.take<ModelRef>("model");
  training.seed = reader.take<int64_t>("seed");
  training.keep = reader.take<std::string>("keep");
  if (const auto start = reader.find<json>("start")) take_start(*start, training);
  training.subspace = reader.find<ArtifactRef>("subspace");
  training.trajectory = reader.find<TrajectoryRef>("trajectory");
  training.rests_on = reader.find<StepsByTraining>("rests_on").value_or(StepsByTraining());
  training.facts = std::move(reader).rest();
  read_facts(training);
  return training;
}

json TrainingRef::to_json() const {
  json handle = ArtifactRef::to_json();
  handle.update({{"task", task.to_json()}, {"model", model.to_json()}, {"seed", seed}, {"keep", keep}});
  if (edits_start()) {
    handle["start"] = {{"fresh", fresh}, {"origin", origin ? origin->to_json() : json()}};
    if (reinit_layers > 0) handle["start"]["reinit_layers"] = reinit_layers;
  }
  if (subspace) handle["subspace"] = subspace->to_json();
  if (trajectory) handle["trajectory"] = trajectory->to_json();
  put_steps(handle, rests_on);
  return handle;
}

StepsByTraining with_own_steps(const TrainingRef& training) {
  StepsByTraining steps = training.rests_on;
  if (training.steps > 0) steps[training.key] = training.steps;
  return steps;
}

void put_steps(json& handle, const StepsByTraining& rests_on) {
  int64_t sum = 0;
  for (const auto& [key, steps] : rests_on) sum += steps;
  if (sum > 0) handle.update({{"rests_on", rests_on}, {"steps_before", sum}});
}

void add_gradient_steps(StepsByTraining& rests_on, const std::string& key, const json& facts) {
  static const auto batch = train_options().find("batch_size")->fallback.get<int64_t>();
  const auto rows = facts.value("gradient_rows", int64_t{0});
  if (rows > 0) rests_on[key] = (rows + batch - 1) / batch;
}

MaskRef MaskRef::from_json(const json& handle) {
  HandleReader reader(handle, "mask");
  MaskRef mask;
  take_artifact(reader, mask);
  mask.solution = reader.take<TrainingRef>("solution");
  mask.parameters = reader.take<json>("parameters");
  mask.facts = std::move(reader).rest();
  return mask;
}

json MaskRef::to_json() const {
  json handle = ArtifactRef::to_json();
  handle.update({{"solution", solution.to_json()}, {"parameters", parameters}});
  return handle;
}

}  // namespace tsrun::experiment
