#include "experiment/crossing.h"

#include "tsrun/base/interrupt.h"
#include "tsrun/base/parallel.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace tsrun::experiment {
namespace {

using nlohmann::json;

constexpr int64_t kAbove = std::numeric_limits<int64_t>::max();  // of a draw in which no point reaches the target

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double deviation_of(const std::vector<double>& values, double mean) {
  double sum = 0;
  for (const double value : values) sum += (value - mean) * (value - mean);
  return values.size() > 1 ? std::sqrt(sum / static_cast<double>(values.size() - 1)) : 0;
}

/// The percentile of a sorted list.
template <class T>
T percentile(std::vector<T> values, double share) {
  if (values.empty()) return T{};
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(std::floor(share * static_cast<double>(values.size() - 1) + 0.5))];
}

std::vector<double> scores_of(const std::vector<RowOutcomes>& runs, std::span<const int64_t> rows) {
  std::vector<double> scores;
  for (const RowOutcomes& run : runs) scores.push_back(run.score(rows));
  return scores;
}

/// Scores of one draw.
struct Drawn {
  double reference = 0;
  std::vector<double> curve;
};

Drawn draw_once(const CrossingInputs& inputs, Key key) {
  const auto rows = drawn_rows(inputs.reference.front().rows(), key.split("rows"));
  const auto seeds = drawn_rows(static_cast<int64_t>(inputs.reference.size()), key.split("seeds"));
  const auto mean = [&](const std::vector<RowOutcomes>& runs) {
    const auto scores = scores_of(runs, rows);
    double sum = 0;
    for (const int64_t seed : seeds) sum += scores[static_cast<size_t>(seed)];
    return sum / static_cast<double>(seeds.size());
  };
  Drawn drawn{.reference = mean(inputs.reference), .curve = {}};
  for (const CurvePoint& point : inputs.curve) drawn.curve.push_back(mean(point.runs));
  return drawn;
}

double target_of(const CrossingInputs& inputs, double reference) { return inputs.floor + inputs.share * (reference - inputs.floor); }

/// The index of the first point at the target, or the number of points. A score without a value reaches nothing.
size_t first_at(const std::vector<double>& curve, double target) {
  return static_cast<size_t>(std::find_if(curve.begin(), curve.end(), [&](double score) { return score >= target; }) - curve.begin());
}

/// Draws without a finite score are left out.
MeanScore mean_score(const std::vector<double>& by_run, std::vector<double> drawn) {
  std::erase_if(drawn, [](double score) { return !std::isfinite(score); });
  const double mean = mean_of(by_run);
  return {mean, deviation_of(by_run, mean), percentile(drawn, 0.025), percentile(drawn, 0.975), by_run};
}

std::optional<int64_t> below_the_top(int64_t at) { return at == kAbove ? std::nullopt : std::optional(at); }

/// The interval of the crossing over the draws.
void set_interval(Crossing& to, const CrossingInputs& inputs, const std::vector<Drawn>& draws) {
  std::vector<int64_t> low, high;
  for (const Drawn& draw : draws) {
    const size_t first = first_at(draw.curve, target_of(inputs, draw.reference));
    low.push_back(first == 0 ? inputs.curve.front().at : inputs.curve[first - 1].at + 1);
    high.push_back(first == inputs.curve.size() ? kAbove : inputs.curve[first].at);
  }
  const auto reached = std::count_if(high.begin(), high.end(), [](int64_t at) { return at != kAbove; });
  to.share_reached = static_cast<double>(reached) / static_cast<double>(std::max<size_t>(1, high.size()));
  if (draws.empty()) return;
  const int64_t beyond = inputs.curve.back().at + 1;
  const int64_t low_end = percentile(low, 0.025);
  to.low = low_end == beyond ? std::nullopt : std::optional(low_end);
  to.high = below_the_top(percentile(high, 0.975));
}

std::vector<Drawn> draw_all(const CrossingInputs& inputs, int64_t count, Key key) {
  std::vector<Drawn> draws(static_cast<size_t>(count));
  parallel_for(count, 8, [&](int64_t first, int64_t last) {
    for (int64_t draw = first; draw < last; ++draw)
      draws[static_cast<size_t>(draw)] = draw_once(inputs, key.split(static_cast<uint64_t>(draw)));
  });
  check_interrupt();
  std::erase_if(draws, [](const Drawn& draw) { return !std::isfinite(draw.reference); });
  return draws;
}

json or_null(const std::optional<int64_t>& value) { return value ? json(*value) : json(); }

}  // namespace

Crossing find_crossing(const CrossingInputs& inputs, int64_t draws, Key key) {
  std::vector<int64_t> all(static_cast<size_t>(inputs.reference.front().rows()));
  std::iota(all.begin(), all.end(), 0);
  const std::vector<Drawn> drawn = draw_all(inputs, draws, key);
  std::vector<double> column;
  for (const Drawn& draw : drawn) column.push_back(draw.reference);
  Crossing crossing;
  crossing.reference = mean_score(scores_of(inputs.reference, all), column);
  crossing.target = target_of(inputs, crossing.reference.mean);
  for (size_t i = 0; i < inputs.curve.size(); ++i) {
    column.clear();
    for (const Drawn& draw : drawn) column.push_back(draw.curve[i]);
    crossing.curve.push_back(mean_score(scores_of(inputs.curve[i].runs, all), column));
    const bool reaches = crossing.curve.back().mean >= crossing.target;
    if (!reaches && crossing.at) crossing.violations.push_back(inputs.curve[i].at);
    if (reaches && !crossing.at) crossing.at = inputs.curve[i].at;
  }
  set_interval(crossing, inputs, drawn);
  return crossing;
}

json MeanScore::to_json() const { return {{"mean", mean}, {"deviation", deviation}, {"low", low}, {"high", high}, {"scores", by_run}}; }

json Crossing::to_json() const {
  json points = json::array();
  for (const MeanScore& point : curve) points.push_back(point.to_json());
  return {{"at", or_null(at)},     {"low", or_null(low)},
          {"high", or_null(high)}, {"share_reached", share_reached},
          {"target", target},      {"reference", reference.to_json()},
          {"curve", points},       {"violations", violations}};
}

}  // namespace tsrun::experiment
