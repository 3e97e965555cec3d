#include "train/evaluate.h"
#include "tsrun/base/interrupt.h"
#include "tsrun/data/metrics.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

namespace tsrun {
namespace {

using Drawn = std::vector<int64_t>;  ///< rows, drawn with replacement

template <class T>
std::vector<T> taken(const std::vector<T>& from, const Drawn& rows) {
  std::vector<T> result;
  result.reserve(rows.size());
  for (const int64_t row : rows) result.push_back(from[static_cast<size_t>(row)]);
  return result;
}

/// The first metric of any selection of rows.
class Rescorer {
 public:
  Rescorer(const EvaluationSet& evaluation_set, const Predictions& predictions)
      : evaluation_set_(evaluation_set), predictions_(predictions), name_(evaluation_set.task->metrics.front()) {
    if (!predictions.tags.empty()) tags_ = right_tags(evaluation_set);
    const bool options = evaluation_set.task->kind == TaskKind::multiple_choice;
    values_ = options ? option_numbers(evaluation_set, predictions) : as_task_classes(*evaluation_set.task, predictions.values);
    targets_ = options ? right_options(evaluation_set) : as_task_classes(*evaluation_set.task, evaluation_set.rows.targets);
    if (options || predictions.texts.empty()) return;
    accepted_ = accepted_answers(evaluation_set);
    set_labels();
    static constexpr std::string_view means[] = {"exact_match", "accuracy", "token_f1", "rouge_l"};
    if (std::find(std::begin(means), std::end(means), name_) == std::end(means)) return;
    for (int64_t row = 0; row < rows(); ++row) by_row_.push_back(score_texts({row}));
  }
  int64_t rows() const {
    return static_cast<int64_t>(std::max({predictions_.texts.size(), predictions_.tags.size(), predictions_.values.size()}));
  }
  double score(const Drawn& rows) const {
    if (!by_row_.empty()) return mean_of(rows);
    if (!accepted_.empty()) return score_texts(rows);
    if (!predictions_.tags.empty())
      return tag_metric(name_, taken(predictions_.tags, rows), taken(tags_, rows), evaluation_set_.task->labels);
    return metric_value(name_, taken(values_, rows), taken(targets_, rows), classes_of(*evaluation_set_.task, *evaluation_set_.split));
  }

 private:
  double mean_of(const Drawn& rows) const {
    double sum = 0;
    for (const int64_t row : rows) sum += by_row_[static_cast<size_t>(row)];
    return sum / static_cast<double>(rows.size());
  }
  double score_texts(const Drawn& rows) const {
    return text_metric(name_, {taken(predictions_.texts, rows), taken(accepted_, rows), labels_, evaluation_set_.task->low});
  }
  /// The classes of the whole split, so that a mean over classes is over the same ones in every sample.
  void set_labels() {
    labels_ = evaluation_set_.task->labels;
    if (!labels_.empty()) return;
    std::set<std::string> first;
    for (const auto& answers : accepted_) first.insert(answers.empty() ? "" : answers.front());
    labels_.assign(first.begin(), first.end());
  }

  const EvaluationSet& evaluation_set_;
  const Predictions& predictions_;
  std::string name_;
  std::vector<std::vector<std::string>> accepted_;
  std::vector<std::vector<int64_t>> tags_;
  std::vector<std::string> labels_;       ///< classes of answers in words
  std::vector<double> values_, targets_;  ///< of heads that judge rows (classes as the task numbers them), and of options
  std::vector<double> by_row_;            ///< of metrics that are means over rows
};

}  // namespace

std::optional<Interval> bootstrap_interval(const EvaluationSet& evaluation_set, const Predictions& predictions, int64_t draws, Key key) {
  const Rescorer rescorer(evaluation_set, predictions);
  const int64_t rows = rescorer.rows();
  if (rows == 0) return std::nullopt;
  std::vector<double> scores;
  for (int64_t draw = 0; draw < draws; ++draw) {
    check_interrupt();
    Stream stream(key.split(static_cast<uint64_t>(draw)));
    Drawn drawn(static_cast<size_t>(rows));
    for (int64_t& row : drawn) row = static_cast<int64_t>(stream.below(static_cast<uint64_t>(rows)));
    const double score = rescorer.score(drawn);
    if (std::isfinite(score)) scores.push_back(score);
  }
  if (scores.empty()) return std::nullopt;
  std::sort(scores.begin(), scores.end());
  const auto at = [&](double share) {
    return scores[static_cast<size_t>(std::floor(share * static_cast<double>(scores.size() - 1) + 0.5))];
  };
  return Interval{at(0.025), at(0.975)};
}

}  // namespace tsrun
