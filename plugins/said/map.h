#pragma once

#include "tsrun/tune/fastfood_projection.h"
#include "tsrun/tune/subspace.h"

#include <string>
#include <vector>

namespace tsrun::said {

struct Choices {
  int64_t dim = 0;               ///< budget of each group, scales included
  bool layer_scales = false;     ///< one λ a layer instead of one a tensor
  bool released_budget = false;  ///< z has d − (m + 1) coordinates instead of d − m
  FastfoodChoices fastfood;
  static Choices of(const Options& options);
  static Choices from_json(const nlohmann::json& json);
  nlohmann::json to_json() const;
};

/// θ_i = θ0_i + λ_i (P z)_i, not linear. A group's coordinates are z, then λ − 1 in the order of its tensors or layers: all zero is θ0.
class Map final : public Subspace {
 public:
  /// @throws Error(user) where a group's scales use up its coordinates
  Map(ParameterSet parameters, Choices choices, Key key);
  const ParameterSet& parameters() const override { return parameters_; }
  const std::vector<int64_t>& dims() const override { return dims_; }
  void expand(const at::Tensor& z, at::Tensor out) const override;
  at::Tensor project(const at::Tensor& z, const at::Tensor& g) const override;
  bool linear() const override { return false; }
  bool claims_orthonormal() const override { return false; }
  nlohmann::json describe() const override;
  void save(const std::filesystem::path& folder) const override;
  int64_t bytes_shipped() const override { return 0; }
  const std::string& digest() const { return projection_.digest(); }

 private:
  void add_scales(const Group& group);
  FastfoodProjection drawn() const;
  std::vector<float> factors(const at::Tensor& z) const;  ///< λ of every map

  ParameterSet parameters_;
  Choices choices_;
  Key key_;
  std::vector<int64_t> dims_, offsets_;
  std::vector<int64_t> scales_;    ///< m of every group
  std::vector<int64_t> scale_of_;  ///< coordinate of every map's λ − 1
  FastfoodProjection projection_;
};

}  // namespace tsrun::said
