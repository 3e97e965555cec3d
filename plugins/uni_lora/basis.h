#pragma once

#include "tsrun/tune/subspace.h"

#include <string>
#include <vector>

namespace tsrun::uni_lora {

/// P with one entry a row: parameter i of a group is z[a_i] / √n[a_i], n_j the number of parameters of coordinate j, which differ by one at
/// most; so columns are orthonormal, and distances are kept exactly. The assignment a is random. Without the origin θ = P z, and the map is
/// affine: θ0 + expand(z) with expand(z) = P z − θ0. 4 bytes of memory a parameter; without the origin, θ0 is stored, too.
class Basis final : public Subspace {
 public:
  /// `dropped`: θ0, float32 [total], or undefined where it is kept; then `width` is unused.
  /// @throws Error(user) for more coordinates than a group has parameters
  Basis(ParameterSet parameters, int64_t dim, double width, Key key, at::Tensor dropped);
  const ParameterSet& parameters() const override { return parameters_; }
  const std::vector<int64_t>& dims() const override { return dims_; }
  void expand(const at::Tensor& z, at::Tensor out) const override;
  at::Tensor project(const at::Tensor& z, const at::Tensor& g) const override;
  bool linear() const override { return !dropped_.defined(); }
  bool claims_orthonormal() const override { return true; }
  double initial_width() const override { return dropped_.defined() ? width_ : 0; }
  nlohmann::json describe() const override;
  void save(const std::filesystem::path& folder) const override;
  int64_t bytes_shipped() const override { return dropped_.defined() ? dropped_.numel() * int64_t{sizeof(float)} : 0; }
  const std::string& digest() const { return digest_; }
  static std::unique_ptr<Subspace> load(const std::filesystem::path& folder, const ParameterSet& parameters);

 private:
  std::vector<float> lengths_of(size_t g) const;  ///< 1 / √n_j

  ParameterSet parameters_;
  int64_t dim_;
  double width_;
  Key key_;
  at::Tensor dropped_;
  std::vector<int64_t> dims_, offsets_;
  std::vector<std::vector<uint32_t>> coordinate_of_;  ///< a of every group
  std::string digest_;
};

}  // namespace tsrun::uni_lora
