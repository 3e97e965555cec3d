#include "tsrun/train/row_outcomes.h"

#include "train/evaluate.h"
#include "tsrun/base/error.h"
#include "tsrun/data/metrics.h"

#include <algorithm>
#include <set>

namespace tsrun {
namespace {

using nlohmann::json;

template <class T>
std::vector<T> taken(const std::vector<T>& from, std::span<const int64_t> rows) {
  std::vector<T> result;
  result.reserve(rows.size());
  for (const int64_t row : rows) result.push_back(from[static_cast<size_t>(row)]);
  return result;
}

bool is_mean_over_rows(std::string_view metric) {
  static constexpr std::string_view means[] = {"exact_match", "accuracy", "token_f1", "rouge_l"};
  return std::find(std::begin(means), std::end(means), metric) != std::end(means);
}

/// The classes of the whole split, so that a mean over classes is over the same ones in every draw.
std::vector<std::string> classes_of_texts(const Task& task, const std::vector<std::vector<std::string>>& accepted) {
  if (!task.labels.empty()) return task.labels;
  std::set<std::string> first;
  for (const auto& answers : accepted) first.insert(answers.empty() ? "" : answers.front());
  return {first.begin(), first.end()};
}

void take_texts(RowOutcomes& to, const EvaluationSet& evaluation_set, const Predictions& predictions) {
  to.texts = predictions.texts;
  to.accepted = training::accepted_answers(evaluation_set);
  to.labels = classes_of_texts(*evaluation_set.task, to.accepted);
  to.low = evaluation_set.task->low;
  if (!is_mean_over_rows(to.metric)) return;
  std::vector<double> scores;
  for (int64_t row = 0; row < to.rows(); ++row) scores.push_back(to.score({&row, 1}));
  to.scores = std::move(scores);
  to.texts.clear();
  to.accepted.clear();
  to.labels.clear();
}

}  // namespace

RowOutcomes RowOutcomes::of(const EvaluationSet& evaluation_set, const Predictions& predictions) {
  const Task& task = *evaluation_set.task;
  RowOutcomes outcomes;
  outcomes.metric = task.metrics.front();
  if (!predictions.tags.empty()) {
    outcomes.tags = predictions.tags;
    outcomes.right_tags = training::right_tags(evaluation_set);
    outcomes.labels = task.labels;
  } else if (task.kind == TaskKind::multiple_choice) {
    outcomes.values = training::option_numbers(evaluation_set, predictions);
    outcomes.targets = training::right_options(evaluation_set);
  } else if (!predictions.texts.empty()) {
    take_texts(outcomes, evaluation_set, predictions);
  } else if (!predictions.values.empty()) {
    outcomes.values = as_task_classes(task, predictions.values);
    outcomes.targets = as_task_classes(task, evaluation_set.rows.targets);
  }
  if (!outcomes.values.empty()) outcomes.classes = classes_of(task, *evaluation_set.split);
  return outcomes;
}

int64_t RowOutcomes::rows() const { return static_cast<int64_t>(std::max({scores.size(), values.size(), texts.size(), tags.size()})); }

double RowOutcomes::score(std::span<const int64_t> drawn) const {
  if (drawn.empty()) internal_error("a score of no rows");
  if (!scores.empty()) {
    double sum = 0;
    for (const int64_t row : drawn) sum += scores[static_cast<size_t>(row)];
    return sum / static_cast<double>(drawn.size());
  }
  if (!texts.empty()) return text_metric(metric, {taken(texts, drawn), taken(accepted, drawn), labels, low});
  if (!tags.empty()) return tag_metric(metric, taken(tags, drawn), taken(right_tags, drawn), labels);
  return metric_value(metric, taken(values, drawn), taken(targets, drawn), classes);
}

json RowOutcomes::to_json() const {
  json result = {{"metric", metric}};
  const auto add = [&](const char* name, const auto& list) {
    if (!list.empty()) result[name] = list;
  };
  add("scores", scores);
  add("values", values);
  add("targets", targets);
  add("texts", texts);
  add("accepted", accepted);
  add("tags", tags);
  add("right_tags", right_tags);
  add("labels", labels);
  if (classes > 0) result["classes"] = classes;
  if (low != 0) result["low"] = low;
  return result;
}

RowOutcomes RowOutcomes::from_json(const json& json) {
  RowOutcomes outcomes;
  outcomes.metric = json.at("metric").get<std::string>();
  const auto take = [&](const char* name, auto& to) {
    if (const auto found = json.find(name); found != json.end()) found->get_to(to);
  };
  take("scores", outcomes.scores);
  take("values", outcomes.values);
  take("targets", outcomes.targets);
  take("texts", outcomes.texts);
  take("accepted", outcomes.accepted);
  take("tags", outcomes.tags);
  take("right_tags", outcomes.right_tags);
  take("labels", outcomes.labels);
  take("classes", outcomes.classes);
  take("low", outcomes.low);
  return outcomes;
}

std::vector<int64_t> drawn_rows(int64_t rows, Key key) {
  Stream stream(key);
  std::vector<int64_t> drawn(static_cast<size_t>(rows));
  for (int64_t& row : drawn) row = static_cast<int64_t>(stream.below(static_cast<uint64_t>(rows)));
  return drawn;
}

}  // namespace tsrun
