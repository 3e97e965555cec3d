#pragma once

#include "row_source.h"

#include "tsrun/tune/stored_basis.h"

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

namespace tsrun::trajectory_svd {

/// V = Rᵀ C: the trajectory's rows stay on disk, memory-mapped, and only C is stored beside them.
class FactoredBasis final : public Subspace {
 public:
  FactoredBasis(ParameterSet parameters, Trajectory trajectory, bool with_origin, std::vector<SmallMatrix> coefficients,
                nlohmann::json description);
  const ParameterSet& parameters() const override { return parameters_; }
  const std::vector<int64_t>& dims() const override { return dims_; }
  bool claims_orthonormal() const override { return true; }
  SubspaceFacts facts() const override { return StoredBasis::facts_of(description_); }
  nlohmann::json describe() const override { return description_; }
  void expand(const at::Tensor& z, at::Tensor out) const override;
  at::Tensor project(const at::Tensor& z, const at::Tensor& g) const override;
  /// Links (or, across file systems, copies) the trajectory's files into `folder`, so that the folder stands alone.
  void save(const std::filesystem::path& folder) const override;
  int64_t bytes_shipped() const override;  ///< rows and coefficients; θ0 is what the receiver has
  static std::unique_ptr<Subspace> load(const std::filesystem::path& folder, const ParameterSet& parameters, const nlohmann::json& index);

 private:
  ParameterSet parameters_;
  std::vector<int64_t> dims_, offsets_;
  nlohmann::json description_;
  Trajectory trajectory_;
  bool with_origin_;
  std::vector<SmallMatrix> coefficients_;
  std::vector<RowSource> sources_;
};

/// The rows of group `group`: differences and, when `with_origin`, θ0.
RowSource group_rows(const Trajectory& trajectory, const Group& group, bool with_origin);

inline constexpr const char* index_name = "basis.json";

}  // namespace tsrun::trajectory_svd
