#pragma once

#include "tsrun/tune/subspace.h"

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace tsrun::random_projection {

/// Group i's direction k is row k of normals under key.split(group name), orthonormalised with the rows before it. Numbers depend on key,
/// group names, sizes and dimensions only.
class Basis final : public Subspace {
 public:
  /// `dim` directions in each group, fewer where a group has fewer weights.
  Basis(ParameterSet parameters, int64_t dim, Key key);
  const ParameterSet& parameters() const override { return parameters_; }
  const std::vector<int64_t>& dims() const override { return dims_; }
  void expand(const at::Tensor& z, at::Tensor out) const override { compose(out, z, out); }
  void compose(const at::Tensor& origin, const at::Tensor& z, at::Tensor out) const override;
  at::Tensor project(const at::Tensor& z, const at::Tensor& g) const override;
  bool claims_orthonormal() const override { return true; }
  nlohmann::json describe() const override;
  void save(const std::filesystem::path& folder) const override;
  int64_t bytes_shipped() const override { return 0; }
  const std::string& digest() const { return digest_; }

 private:
  std::string fill_group(const Group& group, at::Tensor& directions) const;

  ParameterSet parameters_;
  int64_t dim_;
  Key key_;
  std::vector<int64_t> dims_, offsets_;
  std::vector<at::Tensor> directions_;  ///< float32 [dims[g], size of g]
  std::vector<Rows> rows_;
  std::string digest_;  ///< sha256 over the first normals of every direction: shows that another machine draws the same basis
};

}  // namespace tsrun::random_projection
