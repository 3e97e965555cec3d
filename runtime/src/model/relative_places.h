#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace tsrun {

/// T5's relative places: distances (the key's place minus the query's) fall into buckets, exactly while they are small and by their
/// logarithm beyond that, up to `max_distance`. (Raffel et al., 2020, section 2.1)
struct RelativePlaces {
  int64_t buckets = 32, max_distance = 128;
  bool both_ways = true;  ///< half of the buckets are for keys behind the query; else those share bucket 0

  int64_t bucket(int64_t distance) const;
  /// Row `bucket(distance)` of `table` [buckets, heads] for the distances first … last: [heads, last - first + 1].
  at::Tensor bias(const at::Tensor& table, int64_t first, int64_t last) const;
};

}  // namespace tsrun
