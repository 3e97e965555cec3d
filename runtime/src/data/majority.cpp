#include "data/task_file.h"
#include "tsrun/data/metrics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tsrun::data {
namespace {

/// The most frequent of `values`, the least of them in a tie.
template <class Value>
Value most_frequent(const std::vector<Value>& values) {
  std::map<Value, int64_t> counts;
  for (const Value& value : values) ++counts[value];
  return std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.second < b.second; })->first;
}

double constant_number_score(const Split& split, const Task& task) {
  std::vector<double> targets;
  targets.reserve(split.examples.size());
  for (const Example& example : split.examples) targets.push_back(example.target);
  const double mean = std::accumulate(targets.begin(), targets.end(), 0.0) / static_cast<double>(targets.size());
  const double answer = task.kind == TaskKind::regression ? mean : most_frequent(targets);
  return metric_value(task.metrics.front(), std::vector<double>(targets.size(), answer), targets, classes_of(task, split));
}

double constant_text_score(const Split& split, const Task& task) {
  std::vector<std::vector<std::string>> accepted;
  std::vector<std::string> first;
  for (const Example& example : split.examples) {
    accepted.push_back(example.answers);
    first.push_back(example.answers.empty() ? "" : example.answers.front());
  }
  const std::vector<std::string> answers(accepted.size(), most_frequent(first));
  return text_metric(task.metrics.front(), {answers, accepted, task.labels, task.low});
}

double constant_tag_score(const Split& split, const Task& task) {
  std::vector<std::vector<int64_t>> tags, answers;
  std::vector<int64_t> all;
  for (const Example& example : split.examples) {
    tags.push_back(example.tags);
    all.insert(all.end(), example.tags.begin(), example.tags.end());
  }
  const int64_t most_common = most_frequent(all);
  for (const auto& row : tags) answers.emplace_back(row.size(), most_common);
  return tag_metric(task.metrics.front(), answers, tags, task.labels);
}

}  // namespace

void score_majority(Split& split, const Task& task) {
  switch (task.kind) {
    case TaskKind::language_modelling:
      split.majority_score = std::nan("");
      break;
    case TaskKind::text_to_text:
      split.majority_score = constant_text_score(split, task);
      break;
    case TaskKind::token_classification:
      split.majority_score = constant_tag_score(split, task);
      break;
    default:
      split.majority_score = constant_number_score(split, task);
  }
}

}  // namespace tsrun::data
