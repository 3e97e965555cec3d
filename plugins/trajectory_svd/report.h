#pragma once

#include "tsrun/linalg/row_svd.h"

#include <nlohmann/json.hpp>

#include <string>

namespace tsrun::trajectory_svd {

/// What is known of one group's basis from small matrices alone. `gram` covers θ0 (row 0) and all differences; the coefficients of `factor`
/// are over the same rows, or over the differences only when `with_origin` is false.
struct GroupFacts {
  std::string name;
  int64_t size = 0;
  SmallMatrix gram;
  bool with_origin = false;
};

/// name, size, dim, rank, dropped, rank_float32, singular_values, energy, cos_origin, update_share, update_share_first, update_length.
nlohmann::json describe_group(const GroupFacts& facts, const RowSvd& factor);

}  // namespace tsrun::trajectory_svd
