#include "tsrun/linalg/ranking.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace tsrun {
namespace {

/// Larger values first, then lower indices; NaN behind everything.
struct Before {
  std::span<const float> values;
  bool operator()(int64_t a, int64_t b) const {
    const float x = values[static_cast<size_t>(a)], y = values[static_cast<size_t>(b)];
    const bool no_x = std::isnan(x), no_y = std::isnan(y);
    if (no_x != no_y) return no_y;
    return no_x || x == y ? a < b : x > y;
  }
};

std::vector<int64_t> leading(std::span<const float> values, int64_t k) {
  std::vector<int64_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  k = std::clamp<int64_t>(k, 0, static_cast<int64_t>(order.size()));
  if (k < static_cast<int64_t>(order.size())) std::nth_element(order.begin(), order.begin() + k, order.end(), Before{values});
  order.resize(static_cast<size_t>(k));
  return order;
}

}  // namespace

std::vector<int64_t> top_k(std::span<const float> values, int64_t k) {
  auto chosen = leading(values, k);
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

std::vector<int64_t> top_k_ordered(std::span<const float> values, int64_t k) {
  auto chosen = leading(values, k);
  std::sort(chosen.begin(), chosen.end(), Before{values});
  return chosen;
}

std::vector<int64_t> indices_above(std::span<const float> values, double threshold) {
  std::vector<int64_t> chosen;
  for (size_t i = 0; i < values.size(); ++i)
    if (static_cast<double>(values[i]) > threshold) chosen.push_back(static_cast<int64_t>(i));
  return chosen;
}

}  // namespace tsrun
