#include "experiment/summaries.h"

#include <algorithm>
#include <utility>

namespace tsrun::experiment {

using nlohmann::json;

Score Score::of(Evaluation evaluation, const Task& task) {
  const double score = evaluation.metrics.at(task.metrics.front());
  return {std::move(evaluation), score};
}

json Score::to_json() const {
  json result = evaluation.to_json();
  result["score"] = score;
  return result;
}

EvaluationSummary EvaluationSummary::planned(const std::string& metric, int64_t draws) {
  return {.score = {}, .metric = metric, .interval = draws > 0 ? std::optional(Interval{}) : std::nullopt};
}

json EvaluationSummary::to_json() const {
  json result = {{"best", score.to_json()}, {"last", score.to_json()}, {"metric", metric}};
  if (interval) result["interval"] = {{"low", interval->low}, {"high", interval->high}};
  return result;
}

json TrainSummary::to_json() const {
  return {{"best", best.to_json()},
          {"last", last.to_json()},
          {"metric", metric},
          {"trained", true},
          {"trainable", trainable},
          {"degrees_of_freedom", degrees_of_freedom},
          {"bytes_shipped", bytes_shipped}};
}

json untrained(json handle, const ModelRef& model, const TaskRef& task, int64_t seed) {
  handle["trained"] = false;
  handle["trainable"] = handle["degrees_of_freedom"] = handle["bytes_shipped"] = 0;
  handle["seed"] = seed;
  handle["task"] = task.to_json();
  handle["model"] = model.to_json();
  return handle;
}

void put_basis(json& handle, const BasisRef& basis, int64_t directions) {
  if (!basis.facts.contains("bytes") || !basis.facts.contains("dims")) return;  // of a plan
  json dims = basis.facts["dims"];
  for (json& dim : dims)
    if (directions > 0) dim = std::min(dim.get<int64_t>(), directions);
  put_basis(handle, basis.facts["bytes"], dims);
}

void put_basis(json& handle, int64_t bytes, const std::vector<int64_t>& dims) {
  handle["binding"]["subspace"] = {{"bytes", bytes}, {"dims", dims}};
}

Option bootstrap_option(int64_t fallback) {
  return {.name = "bootstrap",
          .type = OptionType::integer,
          .fallback = fallback,
          .doc = "bootstrap samples for the 95 % interval of the first metric; 0: no interval",
          .minimum = 0,
          .maximum = 1000000};
}

std::optional<Interval> interval_of(const EvaluationSet& evaluation_set, const Predictions& predictions, int64_t draws) {
  if (draws == 0) return std::nullopt;
  return bootstrap_interval(evaluation_set, predictions, draws, Key::root(0).split("bootstrap"));
}

nlohmann::json describe_family(const Family& family) {
  int64_t total = 0, encoder = 0;
  for (const auto& parameter : family.parameters()) {
    int64_t size = 1;
    for (const int64_t extent : parameter.shape) size *= extent;
    total += size;
    if (parameter.part == Part::encoder || parameter.part == Part::decoder) encoder += size;
  }
  return {{"family", family.model_type()},
          {"layers", family.layers()},
          {"hidden_size", family.hidden_size()},
          {"parameters", total},
          {"encoder_parameters", encoder}};
}

}  // namespace tsrun::experiment
