#include "tsrun/base/interrupt.h"
#include "tsrun/train/row_outcomes.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace tsrun {

std::optional<Interval> bootstrap_interval(const EvaluationSet& evaluation_set, const Predictions& predictions, int64_t draws, Key key) {
  const RowOutcomes outcomes = RowOutcomes::of(evaluation_set, predictions);
  if (outcomes.rows() == 0) return std::nullopt;
  std::vector<double> scores;
  for (int64_t draw = 0; draw < draws; ++draw) {
    check_interrupt();
    const double score = outcomes.score(drawn_rows(outcomes.rows(), key.split(static_cast<uint64_t>(draw))));
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
