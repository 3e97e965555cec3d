#include "report.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tsrun::trajectory_svd {
namespace {

/// Inner products of every direction with row `row` of the full Gram matrix.
std::vector<double> coordinates_of(const GroupFacts& facts, const RowSvd& factor, int64_t row) {
  const int64_t skipped = facts.with_origin ? 0 : 1;
  std::vector<double> result(static_cast<size_t>(factor.coefficients.columns), 0.0);
  for (int64_t k = 0; k < factor.coefficients.columns; ++k)
    for (int64_t i = 0; i < factor.coefficients.rows; ++i)
      result[static_cast<size_t>(k)] += factor.coefficients(i, k) * facts.gram(i + skipped, row);
  return result;
}

/// Share of Σσ² in the first 1, 2, … directions.
std::vector<double> cumulative_energy(const std::vector<double>& singular_values) {
  double total = 0, sum = 0;
  for (double s : singular_values) total += s * s;
  std::vector<double> result;
  for (double s : singular_values) result.push_back(total > 0 ? (sum += s * s) / total : 0);
  return result;
}

/// Directions that a float32 Gram matrix could tell from rounding: σ² above its epsilon times σ1².
int64_t float32_rank(const RowSvd& factor) {
  const auto& s = factor.singular_values;
  const double least = s.empty() ? 0 : std::numeric_limits<float>::epsilon() * s[0] * s[0];
  return std::count_if(s.begin(), s.begin() + factor.rank, [&](double v) { return v * v > least; });
}

}  // namespace

nlohmann::json describe_group(const GroupFacts& facts, const RowSvd& factor) {
  const int64_t last = facts.gram.rows - 1;
  const auto on_update = coordinates_of(facts, factor, last), on_origin = coordinates_of(facts, factor, 0);
  double inside = 0;
  for (double c : on_update) inside += c * c;
  const double update = facts.gram(last, last), origin = std::sqrt(facts.gram(0, 0));
  const bool any = !on_update.empty() && update > 0;
  const auto wanted = static_cast<int64_t>(factor.singular_values.size());
  return {{"name", facts.name},
          {"size", facts.size},
          {"dim", factor.coefficients.columns},
          {"rank", factor.rank},
          {"dropped", wanted - factor.rank},
          {"rank_float32", float32_rank(factor)},
          {"singular_values", factor.singular_values},
          {"energy", cumulative_energy(factor.singular_values)},
          {"cos_origin", any && origin > 0 ? std::abs(on_origin[0]) / origin : 0.0},
          {"update_length", std::sqrt(update)},
          {"update_share", any ? inside / update : 0.0},
          {"update_share_first", any ? on_update[0] * on_update[0] / update : 0.0}};
}

}  // namespace tsrun::trajectory_svd
