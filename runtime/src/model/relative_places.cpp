#include "model/relative_places.h"

#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace tsrun::model {

int64_t RelativePlaces::bucket(int64_t distance) const {
  const int64_t available = both_ways ? buckets / 2 : buckets;
  const int64_t base = both_ways && distance > 0 ? available : 0;
  const int64_t away = both_ways ? std::abs(distance) : std::max<int64_t>(0, -distance);
  const int64_t exact = available / 2;
  if (away < exact) return base + away;
  // float32, as the reference computes it: at the edges of buckets the rounding decides.
  const float share = std::log(static_cast<float>(away) / static_cast<float>(exact)) /
                      static_cast<float>(std::log(static_cast<double>(max_distance) / static_cast<double>(exact)));
  const auto beyond = static_cast<int64_t>(share * static_cast<float>(available - exact));
  return base + std::min(exact + beyond, available - 1);
}

at::Tensor RelativePlaces::bias(const at::Tensor& table, int64_t first, int64_t last) const {
  std::vector<int64_t> rows;
  for (int64_t distance = first; distance <= last; ++distance) rows.push_back(bucket(distance));
  return table.index_select(0, at::tensor(rows, at::kLong).to(table.device())).t().contiguous();
}

}  // namespace tsrun::model
