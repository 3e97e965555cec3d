#include "rule.h"

#include "tsrun/base/error.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tsrun::salf {
namespace {

constexpr double least_deviation = 1e-12;  // logarithms of exact hits

/// Index of the largest; the first of equals.
int largest(const std::vector<double>& values, size_t count) {
  return static_cast<int>(std::max_element(values.begin(), values.begin() + static_cast<int64_t>(count)) - values.begin());
}

double sum_above(const std::vector<double>& values, int frozen) { return std::accumulate(values.begin() + frozen, values.end(), 0.0); }

double positive_sum(const std::vector<double>& gain) {
  return std::accumulate(gain.begin(), gain.end(), 0.0, [](double sum, double value) { return sum + std::max(value, 0.0); });
}

int frozen_by_argmax(const std::vector<double>& gain, const Options& options) {
  const int layers = static_cast<int>(gain.size()), best = largest(gain, gain.size()) + 1;
  if (best < layers) return best;
  if (options.text("guard") == "last") return std::max(layers - static_cast<int>(options.integer("at_least")), 0);
  return layers == 1 ? 0 : largest(gain, gain.size() - 1) + 1;
}

int frozen_by_budget(const std::vector<double>& gain, double share) {
  const double wanted = share * positive_sum(gain);
  for (int frozen = static_cast<int>(gain.size()) - 1; frozen > 0; --frozen)
    if (sum_above(gain, frozen) >= wanted) return frozen;
  return 0;
}

int frozen_by_benefit(const std::vector<double>& gain, const std::vector<double>& cost, double price) {
  const double all = std::max(positive_sum(gain), least_deviation);
  std::vector<double> benefit;
  for (int frozen = 0; frozen < static_cast<int>(gain.size()); ++frozen)
    benefit.push_back(sum_above(gain, frozen) / all - price * sum_above(cost, frozen));
  return largest(benefit, benefit.size());
}

}  // namespace

std::vector<double> gains_of(const std::vector<double>& deviation, const std::string& gain) {
  std::vector<double> gains;
  for (size_t l = 1; l < deviation.size(); ++l) {
    const double before = deviation[l - 1], behind = deviation[l], depth = static_cast<double>(l);
    const double fall = std::log(std::max(before, least_deviation)) - std::log(std::max(behind, least_deviation));
    if (gain == "drop") gains.push_back(before - behind);
    if (gain == "log_drop") gains.push_back(fall);
    if (gain == "power_law") {
      const double exponent = fall / std::log((depth + 1) / depth);
      gains.push_back(behind * (1 - std::pow((depth + 1) / (depth + 2), exponent)));
    }
  }
  return gains;
}

OptionTable rule_options() {
  return {
      {.name = "gain",
       .type = OptionType::choice,
       .fallback = "drop",
       .doc = "of a layer: how much the deviation drops, its logarithm drops, or would drop with one layer more by the local power law",
       .choices = {"drop", "log_drop", "power_law"}},
      {.name = "rule",
       .type = OptionType::choice,
       .fallback = "argmax",
       .doc = "frozen layers: up to the one of largest gain; all but the fewest that hold a share of the gains; those of the largest gain "
              "less cost",
       .choices = {"argmax", "budget", "benefit"}},
      {.name = "guard",
       .type = OptionType::choice,
       .fallback = "runner_up",
       .doc =
           "argmax, where the last layer gains most and none would be trained: the second largest gain, or the last `at_least` layers are "
           "trained",
       .choices = {"runner_up", "last"}},
      {.name = "at_least", .type = OptionType::integer, .fallback = 1, .doc = "guard = last: number of trained layers", .minimum = 1},
      {.name = "share",
       .type = OptionType::number,
       .fallback = 0.5,
       .doc = "budget: share of the positive gains that the trained layers hold",
       .minimum = 0,
       .maximum = 1},
      {.name = "price",
       .type = OptionType::number,
       .fallback = 1.0,
       .doc = "benefit: worth of the whole backward pass, in shares of the positive gains",
       .minimum = 0},
  };
}

int frozen_by(const std::vector<double>& gain, const std::vector<double>& cost, const Options& options) {
  if (gain.empty()) internal_error("salf: a model without layers");
  const std::string rule = options.text("rule");
  if (rule == "argmax") return frozen_by_argmax(gain, options);
  if (rule == "budget") return frozen_by_budget(gain, options.number("share"));
  return frozen_by_benefit(gain, cost, options.number("price"));
}

double step_share(const std::vector<double>& cost, int frozen) { return (1 + 2 * sum_above(cost, frozen)) / 3; }

}  // namespace tsrun::salf
