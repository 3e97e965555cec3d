#include "data/task_file.h"
#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"
#include "tsrun/data/metrics.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <unordered_map>
#include <utility>

namespace tsrun {
namespace {

size_t find_column(const Table& table, const std::string& column, const std::string& name) {
  const auto& columns = table.columns;
  const auto found = std::find(columns.begin(), columns.end(), column);
  if (found != columns.end()) return static_cast<size_t>(found - columns.begin());
  data_error("{}:1: found the columns {}, expected one named '{}'{}", name, join_words(columns), column, did_you_mean(column, columns));
}

/// Reads labels as class indices or as numbers of the range.
class TargetReader {
 public:
  TargetReader(const Task& task, const std::string& name) : task_(task), name_(name) {
    for (size_t index = 0; index < task.labels.size(); ++index) indices_[task.labels[index]] = static_cast<double>(index);
  }

  double read(const std::string& label, int64_t line) const {
    return task_.kind == TaskKind::regression ? number(label, line) : index(label, line);
  }

 private:
  double index(const std::string& label, int64_t line) const {
    if (const auto found = indices_.find(label); found != indices_.end()) return found->second;
    data_error("{}:{}: found the label '{}'{}, expected one of {}", name_, line, label, did_you_mean(label, task_.labels),
               join_words(task_.labels));
  }

  double number(const std::string& label, int64_t line) const {
    double value = 0;
    const char* end = label.data() + label.size();
    const auto result = std::from_chars(label.data(), end, value);
    if (result.ec == std::errc() && result.ptr == end && value >= task_.low && value <= task_.high) return value;
    data_error("{}:{}: found the label '{}', expected a number from {} to {}", name_, line, label, task_.low, task_.high);
  }

  const Task& task_;
  const std::string& name_;
  std::unordered_map<std::string, double> indices_;
};

double commonest(const std::vector<double>& targets) {
  std::map<double, int64_t> counts;
  for (const double target : targets) ++counts[target];
  return std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.second < b.second; })->first;
}

double mean(const std::vector<double>& targets) {
  return std::accumulate(targets.begin(), targets.end(), 0.0) / static_cast<double>(targets.size());
}

}  // namespace

std::vector<Example> read_examples(Table table, const TaskFile& file, const std::string& name) {
  const size_t first = find_column(table, file.text.front(), name), label = find_column(table, file.label, name);
  const bool pairs = file.text.size() == 2;
  const size_t second = find_column(table, file.text.back(), name);
  if (table.rows.empty()) data_error("{}:1: found a header and no rows, expected at least one row", name);
  const TargetReader targets(file.task, name);
  std::vector<Example> examples(table.rows.size());
  for (size_t row = 0; row < examples.size(); ++row) {
    std::vector<std::string>& cells = table.rows[row];
    examples[row].target = targets.read(cells[label], table.lines[row]);
    if (pairs) examples[row].second = cells[second];
    examples[row].first = std::move(cells[first]);
    examples[row].row = static_cast<int64_t>(row);
  }
  return examples;
}

void score_majority(Split& split, const Task& task) {
  std::vector<double> targets;
  targets.reserve(split.examples.size());
  for (const Example& example : split.examples) targets.push_back(example.target);
  const double answer = task.kind == TaskKind::regression ? mean(targets) : commonest(targets);
  split.majority_score = metric(task.metrics.front(), std::vector<double>(targets.size(), answer), targets);
}

}  // namespace tsrun
