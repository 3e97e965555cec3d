#include "tsrun/data/metrics.h"

#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tsrun {
namespace {

using Values = std::span<const double>;

struct Counts {
  double right = 0, predicted = 0, actual = 0;
  double f1() const { return right == 0 ? 0 : 2 * right / (predicted + actual); }
};

/// By class, over the classes that occur on either side.
std::map<double, Counts> count_classes(Values predictions, Values targets) {
  std::map<double, Counts> counts;
  for (size_t row = 0; row < targets.size(); ++row) {
    ++counts[predictions[row]].predicted;
    ++counts[targets[row]].actual;
    if (predictions[row] == targets[row]) ++counts[targets[row]].right;
  }
  return counts;
}

double accuracy(Values predictions, Values targets, int64_t) {
  double right = 0;
  for (size_t row = 0; row < targets.size(); ++row) right += predictions[row] == targets[row];
  return right / static_cast<double>(targets.size());
}

double macro_f1(Values predictions, Values targets, int64_t classes) {
  auto counts = count_classes(predictions, targets);
  double sum = 0;
  for (int64_t index = 0; index < classes; ++index) sum += counts[static_cast<double>(index)].f1();
  return sum / static_cast<double>(classes);
}

double f1(Values predictions, Values targets, int64_t classes) {
  return classes == 2 ? count_classes(predictions, targets)[1].f1() : macro_f1(predictions, targets, classes);
}

/// The R_K statistic (Gorodkin 2004), which for two classes is Matthews' coefficient.
double matthews(Values predictions, Values targets, int64_t) {
  const double rows = static_cast<double>(targets.size());
  double right = 0, both = 0, predicted = 0, actual = 0;
  for (const auto& [label, count] : count_classes(predictions, targets)) {
    right += count.right;
    both += count.predicted * count.actual;
    predicted += count.predicted * count.predicted;
    actual += count.actual * count.actual;
  }
  const double spread = std::sqrt(rows * rows - predicted) * std::sqrt(rows * rows - actual);
  return spread == 0 ? 0 : (right * rows - both) / spread;
}

std::vector<double> centred(Values values) {
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  std::vector<double> out(values.begin(), values.end());
  for (double& value : out) value -= mean;
  return out;
}

double pearson(Values predictions, Values targets, int64_t) {
  const auto constant = [](Values values) { return std::all_of(values.begin(), values.end(), [&](double v) { return v == values[0]; }); };
  if (constant(predictions) || constant(targets)) return 0;
  const std::vector<double> x = centred(predictions), y = centred(targets);
  const double norms =
      std::sqrt(std::inner_product(x.begin(), x.end(), x.begin(), 0.0)) * std::sqrt(std::inner_product(y.begin(), y.end(), y.begin(), 0.0));
  if (norms == 0) return 0;
  return std::clamp(std::inner_product(x.begin(), x.end(), y.begin(), 0.0) / norms, -1.0, 1.0);
}

/// Ranks from 1; equal values share the mean of their ranks.
std::vector<double> ranks(Values values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> out(values.size());
  for (size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    const double rank = static_cast<double>(begin + end + 1) / 2;
    for (size_t place = begin; place < end; ++place) out[order[place]] = rank;
  }
  return out;
}

double spearman(Values predictions, Values targets, int64_t) { return pearson(ranks(predictions), ranks(targets), 0); }

struct Metric {
  std::string name;
  double (*score)(Values predictions, Values targets, int64_t classes);
};

const std::vector<Metric>& metrics() {
  static const std::vector<Metric> all = {{"accuracy", accuracy}, {"f1", f1},           {"macro_f1", macro_f1},
                                          {"matthews", matthews}, {"pearson", pearson}, {"spearman", spearman}};
  return all;
}

const Metric& find_metric(std::string_view name) {
  for (const Metric& metric : metrics()) {
    if (metric.name == name) return metric;
  }
  user_error("unknown metric '{}'{}, expected one of {}", name, did_you_mean(name, metric_names()), join_words(metric_names()));
}

}  // namespace

const std::vector<std::string>& metric_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> out;
    for (const Metric& metric : metrics()) out.push_back(metric.name);
    return out;
  }();
  return names;
}

double metric_value(std::string_view name, std::span<const double> predictions, std::span<const double> targets, int64_t classes) {
  const Metric& found = find_metric(name);
  if (predictions.size() != targets.size() || targets.empty()) {
    internal_error("metric '{}' got {} predictions for {} targets, expected as many, and some", name, predictions.size(), targets.size());
  }
  if (name.ends_with("f1") && classes < 1) internal_error("metric '{}' is a mean over classes, but got {} of them", name, classes);
  const auto finite = [](double value) { return std::isfinite(value); };
  const bool all = std::all_of(predictions.begin(), predictions.end(), finite) && std::all_of(targets.begin(), targets.end(), finite);
  return all ? found.score(predictions, targets, classes) : std::nan("");
}

int64_t classes_of(const Task& task, const Split& split) {
  if (task.kind == TaskKind::regression) return 0;
  size_t classes = task.labels.size();
  if (task.kind == TaskKind::multiple_choice && task.labels.empty())
    for (const Example& example : split.examples) classes = std::max(classes, example.answers.size());
  return static_cast<int64_t>(classes);
}

double top_answer_share(std::span<const double> predictions) {
  if (predictions.empty()) return 0;
  std::map<double, int64_t> counts;
  int64_t most = 0;
  for (const double prediction : predictions) most = std::max(most, ++counts[prediction]);
  return static_cast<double>(most) / static_cast<double>(predictions.size());
}

}  // namespace tsrun
