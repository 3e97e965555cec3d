#pragma once

#include "tsrun/tune/fastfood_projection.h"
#include "tsrun/tune/subspace.h"

#include <string>
#include <vector>

namespace tsrun::fastfood {

/// θ = θ0 + P z with Fastfood projections, group by group. Numbers depend on key, names, sizes, dimension and choices only.
class Basis final : public Subspace {
 public:
  Basis(ParameterSet parameters, int64_t dim, FastfoodChoices choices, Key key);
  const ParameterSet& parameters() const override { return parameters_; }
  const std::vector<int64_t>& dims() const override { return dims_; }
  void expand(const at::Tensor& z, at::Tensor out) const override;
  at::Tensor project(const at::Tensor& z, const at::Tensor& g) const override;
  bool claims_orthonormal() const override { return false; }
  nlohmann::json describe() const override;
  void save(const std::filesystem::path& folder) const override;
  int64_t bytes_shipped() const override { return 0; }
  const std::string& digest() const { return projection_.digest(); }

 private:
  ParameterSet parameters_;
  std::vector<int64_t> dims_, offsets_;
  FastfoodChoices choices_;
  Key key_;
  FastfoodProjection projection_;
  std::vector<float> ones_;  ///< a factor for each map
};

}  // namespace tsrun::fastfood
