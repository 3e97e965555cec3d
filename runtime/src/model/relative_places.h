#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace tsrun::model {

/// Buckets of T5's relative positions (Raffel et al., 2020, section 2.1): one for each small distance (key position minus query position),
/// logarithmic ones beyond, up to `max_distance`.
struct RelativePlaces {
  int64_t buckets = 32, max_distance = 128;
  bool both_ways = true;  ///< half of the buckets are for keys after the query; else those share bucket 0

  int64_t bucket(int64_t distance) const;
  /// Row `bucket(distance)` of `table` [buckets, heads] for the distances first … last: [heads, last - first + 1].
  at::Tensor bias(const at::Tensor& table, int64_t first, int64_t last) const;
};

}  // namespace tsrun::model
