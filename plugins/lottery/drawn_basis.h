#pragma once

#include "tsrun/tune/stored_basis.h"

#include <string>

namespace tsrun::lottery {

/// Random orthonormal directions of every group, drawn again from a key: direction k of a group is row k of normals under
/// key.split(group name), orthonormalised with the rows before it. The point that they go through is stored.
class DrawnBasis final : public Subspace {
 public:
  /// `dim` directions in each group, fewer where a group has fewer weights. `shift`: float32 [total], or undefined for zero.
  DrawnBasis(const ParameterSet& parameters, int64_t dim, Key key, at::Tensor shift, nlohmann::json description);
  const ParameterSet& parameters() const override { return basis_.parameters(); }
  const std::vector<int64_t>& dims() const override { return basis_.dims(); }
  void expand(const at::Tensor& z, at::Tensor out) const override { basis_.expand(z, out); }
  void compose(const at::Tensor& origin, const at::Tensor& z, at::Tensor out) const override { basis_.compose(origin, z, out); }
  at::Tensor project(const at::Tensor& z, const at::Tensor& g) const override { return basis_.project(z, g); }
  bool linear() const override { return basis_.linear(); }
  bool claims_orthonormal() const override { return true; }
  SubspaceFacts facts() const override { return basis_.facts(); }
  nlohmann::json describe() const override { return basis_.describe(); }
  void save(const std::filesystem::path& folder) const override;
  int64_t bytes_shipped() const override { return shift_.defined() ? 4 * shift_.numel() : 0; }
  /// @throws Error(data)
  static std::unique_ptr<Subspace> load(const std::filesystem::path& folder, const ParameterSet& parameters);

 private:
  int64_t dim_;
  Key key_;
  at::Tensor shift_;
  std::string digest_;  ///< sha256 over the first normals of every direction
  StoredBasis basis_;
};

}  // namespace tsrun::lottery
