#pragma once

#include "tsrun/base/options.h"
#include "tsrun/linalg/fastfood.h"
#include "tsrun/tune/parameter_set.h"

#include <span>
#include <string>
#include <vector>

namespace tsrun {

/// A choice that the paper and its release leave open, as `fastfood_options` has it.
struct FastfoodChoices {
  bool flattened = false;           ///< one transform for a whole group instead of one for each of its tensors
  bool released_scaling = false;    ///< columns of length 1 in each tensor instead of in the group
  bool released_gradients = false;  ///< 1/n of the transposed product of a transform of length n
  static FastfoodChoices of(const Options& options);
  static FastfoodChoices from_json(const nlohmann::json& json);
  nlohmann::json to_json() const;
};

/// The options `transform`, `scaling` and `gradient`.
OptionTable fastfood_options();

/// Fastfood maps from each group's coordinates to all of its parameters, drawn from a key (Aghajanyan et al., ACL 2021): a transform of its
/// own for every tensor (or one for the group), all reading the same coordinates. Where a tensor's padded length is shorter than the
/// coordinates, the later ones do not reach it, as in the release.
class FastfoodProjection {
 public:
  struct Part {
    size_t group = 0;
    int64_t begin = 0, size = 0;  ///< in the flat vector
    std::string name;             ///< of the tensor, or of the group
    FastfoodMap map;
    float scale = 1;             ///< of the map, whose columns are about as long as 1
    double gradient_factor = 1;  ///< of its transposed product; not 1 under `released_gradients`
  };

  /// `dims[g]` coordinates of group g. @throws Error(user) "`who`: …" where coordinates of a group would reach none of its tensors
  FastfoodProjection(const ParameterSet& parameters, const std::vector<int64_t>& dims, FastfoodChoices choices, Key key,
                     const std::string& who);
  const std::vector<Part>& parts() const { return parts_; }
  const std::string& digest() const { return digest_; }  ///< shows whether another machine draws the same numbers

  /// out[part] += factors[p] · P_p z; `z` has group g's coordinates from `offsets[g]` on, `out` is the flat vector.
  void expand(std::span<const float> z, std::span<const int64_t> offsets, std::span<const float> factors, std::span<float> out) const;
  /// Σ_p factors[p] · P_pᵀ g, [z.size()], by the same offsets. When `inner` is given: inner[p] = ⟨P_p z, g⟩.
  std::vector<double> project(std::span<const float> z, std::span<const int64_t> offsets, std::span<const float> factors,
                              std::span<const float> g, std::vector<double>* inner = nullptr) const;

 private:
  void add_group(const ParameterSet& parameters, size_t g, int64_t dim, FastfoodChoices choices, Key key);
  std::vector<Part> parts_;
  std::string digest_;
};

/// Names of a group's parts, as a `FastfoodProjection` has them.
std::vector<std::string> fastfood_part_names(const ParameterSet& parameters, const Group& group, bool flattened);

/// The part of a parameter's name up to its layer's number ("bert.encoder.layer.3"); without one, up to the first dot.
std::string layer_of_name(const std::string& name);

}  // namespace tsrun
