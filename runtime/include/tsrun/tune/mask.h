#pragma once

#include "tsrun/base/random.h"
#include "tsrun/tune/parameter_set.h"

#include <ATen/core/Tensor.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace tsrun {

/// A set of single weights: positions in a layout, ascending.
struct Mask {
  Layout layout;
  std::vector<int64_t> positions;
  nlohmann::json description;  ///< how it was made, and its counts
};
void save_mask(const Mask& mask, const std::filesystem::path& folder);
Mask load_mask(const std::filesystem::path& folder);

/// Outlier dimensions (Zhang, Liu, Shao, ACL 2023, section 5): per group, positions where |u − mean(u)| > k·σ(u), for an update u in the
/// layout of `set`. The description holds, per group, mean, σ, count, the `top` largest (tensor, index, value), share by module, and the
/// rank correlation of |u| with |θ0|.
struct OutlierOptions {
  double sigmas = 3;
  int64_t top = 10;
};
Mask find_outliers(const at::Tensor& update, const at::Tensor& origin, const ParameterSet& set, const Family& family,
                   const OutlierOptions& options);

/// Controls matched to `mask`, group by group: the same number of positions in each group (or tensor).
///   random             drawn uniformly from the group
///   random_per_tensor  the same count in every tensor as `mask`
///   magnitude          the largest |θ0|
///   without_norms      `mask` less LayerNorm gains and biases
///   magnitude_without_norms  the largest |θ0| outside LayerNorm, as many as `without_norms` keeps
///   top                the single most deviating position of each group (needs the update)
Mask matched_mask(const std::string& control, const Mask& mask, const at::Tensor& update, const at::Tensor& origin, const ParameterSet& set,
                  const Family& family, Key key);
const std::vector<std::string>& mask_controls();

}  // namespace tsrun
