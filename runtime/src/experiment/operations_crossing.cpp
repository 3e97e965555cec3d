#include "experiment/crossing.h"
#include "experiment/stored.h"

#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/data/metrics.h"
#include "tsrun/experiment/lab.h"

/// The operation `crossing`: where a curve of trainings reaches a share of the score of others.
namespace tsrun {

namespace experiment {
namespace {

using nlohmann::json;

OptionTable crossing_options() {
  return {
      {.name = "reference",
       .type = OptionType::list,
       .doc = "trainings of ts.train whose score is to be reached, one a seed",
       .required = true},
      {.name = "curve",
       .type = OptionType::list,
       .doc = "{ { at = whole number, runs = trainings }, … }, the seeds in the same order",
       .required = true},
      {.name = "share", .type = OptionType::number, .fallback = 0.9, .doc = "of the reference's mean score", .minimum = 0.01, .maximum = 1},
      {.name = "above",
       .type = OptionType::choice,
       .fallback = "zero",
       .doc =
           "what the share is of: the score itself, as Li et al. and Aghajanyan et al. have it, or its part above one answer for all rows",
       .choices = {"zero", "majority"}},
      {.name = "score", .type = OptionType::choice, .fallback = "last", .doc = "evaluation of each training", .choices = {"last", "best"}},
      {.name = "bootstrap",
       .type = OptionType::integer,
       .fallback = 1000,
       .doc = "draws of seeds and rows",
       .minimum = 0,
       .maximum = 1000000},
  };
}

struct CrossingPoint {
  int64_t at = 0;
  std::vector<TrainingRef> runs;
};

struct CrossingRequest {
  std::vector<TrainingRef> reference;
  std::vector<CrossingPoint> curve;
  Options options;

  static CrossingRequest from(const Options& o);
  StageKey key() const;
};

std::vector<TrainingRef> trainings_of(const json& list, const std::string& where) {
  std::vector<TrainingRef> runs;
  for (const json& handle : list) {
    if (!handle.is_object() || handle.value("artifact", json()) != "train") user_error("{}: expected trainings of ts.train", where);
    runs.push_back(TrainingRef::from_json(handle));
  }
  if (runs.empty()) user_error("{}: there is no training, expected one a seed", where);
  return runs;
}

CrossingPoint point_of(const json& given, size_t number) {
  static const OptionTable table = {{.name = "at", .type = OptionType::integer, .doc = "place", .required = true},
                                    {.name = "runs", .type = OptionType::list, .doc = "trainings", .required = true}};
  const std::string where = fmt::format("curve: point {}", number);
  const Options point = table.resolve(given, where);
  return {point.integer("at"), trainings_of(point.value("runs"), where)};
}

/// The runs of `point` stand where those of the reference do, seed by seed.
void check_point(const CrossingRequest& request, const CrossingPoint& point) {
  const auto& reference = request.reference;
  if (point.runs.size() != reference.size())
    user_error("curve: point {} has {} runs, but the reference {}; expected the same seeds", point.at, point.runs.size(), reference.size());
  for (size_t i = 0; i < reference.size(); ++i) {
    if (point.runs[i].task.key != reference[i].task.key)
      user_error("curve: point {} is of task '{}', but the reference of '{}'", point.at, point.runs[i].task.name, reference[i].task.name);
    if (point.runs[i].seed != reference[i].seed)
      user_error("curve: point {}: run {} has seed {}, but the reference's has {}", point.at, i + 1, point.runs[i].seed, reference[i].seed);
  }
}

CrossingRequest CrossingRequest::from(const Options& o) {
  CrossingRequest request{.reference = trainings_of(o.value("reference"), "reference"), .curve = {}, .options = o};
  const std::string& metric = request.reference.front().task.metric;
  if (!higher_is_better(metric)) user_error("a share of '{}' has no meaning: expected a metric that is better when it is higher", metric);
  for (const json& point : o.value("curve")) request.curve.push_back(point_of(point, request.curve.size() + 1));
  if (request.curve.empty()) user_error("option 'curve' is empty, expected a point at least");
  for (size_t i = 0; i < request.curve.size(); ++i) {
    check_point(request, request.curve[i]);
    if (i > 0 && request.curve[i].at <= request.curve[i - 1].at)
      user_error("curve: point {} comes after {}, expected them to rise", request.curve[i].at, request.curve[i - 1].at);
  }
  return request;
}

json identities(const std::vector<TrainingRef>& runs) {
  json list = json::array();
  for (const TrainingRef& run : runs) list.push_back(run.identity());
  return list;
}

StageKey CrossingRequest::key() const {
  json inputs = options.json();
  inputs["reference"] = identities(reference);
  inputs["curve"] = json::array();
  for (const CrossingPoint& point : curve) inputs["curve"].push_back({{"at", point.at}, {"runs", identities(point.runs)}});
  return {"crossing", {{"options", inputs}}};
}

struct StoredOutcomes {
  std::string split;
  std::vector<RowOutcomes> runs;
};

StoredOutcomes outcomes_of(Lab& lab, const std::vector<TrainingRef>& runs, const std::string& which) {
  StoredOutcomes stored;
  for (const TrainingRef& run : runs) {
    const auto path = folder_of(lab, run) / "outcomes.json";
    if (!std::filesystem::exists(path)) user_error("a training of task '{}' has no answers row by row", run.task.name);
    const json file = read_json(path);
    try {
      stored.split = file.at("split").get<std::string>();
      stored.runs.push_back(RowOutcomes::from_json(file.at(which)));
    } catch (const json::exception& error) {
      data_error("{}: not the outcomes of a training: {}", path.string(), error.what());
    }
  }
  return stored;
}

double floor_of(const CrossingRequest& request, const std::string& split) {
  if (request.options.text("above") == "zero") return 0;
  const double majority = request.reference.front().task.splits.at(split).majority_score;
  return std::isfinite(majority) ? majority : 0;
}

Crossing crossed(Lab& lab, const CrossingRequest& request) {
  const std::string which = request.options.text("score");
  StoredOutcomes reference = outcomes_of(lab, request.reference, which);
  CrossingInputs inputs;
  inputs.reference = std::move(reference.runs);
  inputs.share = request.options.number("share");
  inputs.floor = floor_of(request, reference.split);
  for (const CrossingPoint& point : request.curve) {
    StoredOutcomes runs = outcomes_of(lab, point.runs, which);
    for (const RowOutcomes& run : runs.runs)
      if (runs.split != reference.split || run.rows() != inputs.reference.front().rows())
        user_error("curve: point {} was evaluated on {} rows of '{}', but the reference on {} of '{}'", point.at, run.rows(), runs.split,
                   inputs.reference.front().rows(), reference.split);
    inputs.curve.push_back({point.at, std::move(runs.runs)});
  }
  return find_crossing(inputs, request.options.integer("bootstrap"), Key::root(0).split("crossing"));
}

/// A plan reaches the target nowhere.
json plan_of(const CrossingRequest& request) {
  Crossing plan;
  plan.reference.by_run.resize(request.reference.size());
  plan.curve.resize(request.curve.size(), plan.reference);
  return plan.to_json();
}

json run_crossing(Lab& lab, const Options& o) {
  const CrossingRequest request = CrossingRequest::from(o);
  return lab.stage(request.key(), lab.title_of("crossing"), plan_of(request),
                   [&](const auto&, const auto&) { return crossed(lab, request).to_json(); });
}

}  // namespace

}  // namespace experiment

std::vector<Operation> crossing_operations() {
  return {
      {.name = "crossing",
       .doc = "Finds the smallest place of a curve of trainings that reaches a share of others' mean score, with a 95 % interval by a "
              "bootstrap over seeds and rows: { at, low, high, target, reference, curve, violations }; a value is absent beyond the curve.",
       .options = experiment::crossing_options(),
       .result = "crossing",
       .run = experiment::run_crossing,
       .on_device = false,
       .named = true}};
}

}  // namespace tsrun
