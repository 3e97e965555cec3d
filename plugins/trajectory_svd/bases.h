#pragma once

#include "row_source.h"

#include "tsrun/tune/subspace.h"

#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

namespace tsrun::trajectory_svd {

/// Name of a group's tensor in the files of both forms.
inline std::string tensor_name(size_t group) { return fmt::format("group-{:05}", group); }

/// What both forms share: groups, dimensions and the report.
class Basis : public Subspace {
 public:
  Basis(ParameterSet parameters, std::vector<int64_t> dims, nlohmann::json description)
      : parameters_(std::move(parameters)),
        dims_(std::move(dims)),
        offsets_(coordinate_offsets(dims_)),
        description_(std::move(description)) {}
  const ParameterSet& parameters() const override { return parameters_; }
  const std::vector<int64_t>& dims() const override { return dims_; }
  bool claims_orthonormal() const override { return true; }
  SubspaceFacts facts() const override;
  nlohmann::json describe() const override { return description_; }

 protected:
  /// The part of a flat vector that belongs to group `g`.
  std::span<float> part(at::Tensor& flat, size_t g) const;
  std::span<const float> part(const at::Tensor& flat, size_t g) const;
  std::span<const float> coordinates(const at::Tensor& z, size_t g) const;
  void write_index(const std::filesystem::path& folder, const std::string& form) const;

  ParameterSet parameters_;
  std::vector<int64_t> dims_, offsets_;
  nlohmann::json description_;
};

/// V = Rᵀ C: the trajectory's rows stay on disk, memory-mapped, and only C is stored beside them.
class FactoredBasis final : public Basis {
 public:
  FactoredBasis(ParameterSet parameters, Trajectory trajectory, bool with_origin, std::vector<SmallMatrix> coefficients,
                nlohmann::json description);
  void expand(const at::Tensor& z, at::Tensor out) const override;
  at::Tensor project(const at::Tensor& z, const at::Tensor& g) const override;
  /// Links (or, across file systems, copies) the trajectory's files into `folder`, so that the folder stands alone.
  void save(const std::filesystem::path& folder) const override;
  int64_t bytes_shipped() const override;  ///< rows and coefficients; θ0 is what the receiver has
  static std::unique_ptr<Subspace> load(const std::filesystem::path& folder, const ParameterSet& parameters, const nlohmann::json& index);

 private:
  Trajectory trajectory_;
  bool with_origin_;
  std::vector<SmallMatrix> coefficients_;
  std::vector<RowSource> sources_;
};

/// V itself, one row per direction.
class DenseBasis final : public Basis {
 public:
  /// directions[g] is float32 [dims[g], size of group g]; `keep` owns the memory when it is mapped.
  DenseBasis(ParameterSet parameters, std::vector<at::Tensor> directions, nlohmann::json description,
             std::shared_ptr<const void> keep = nullptr);
  void expand(const at::Tensor& z, at::Tensor out) const override;
  at::Tensor project(const at::Tensor& z, const at::Tensor& g) const override;
  void save(const std::filesystem::path& folder) const override;
  int64_t bytes_shipped() const override;
  static std::unique_ptr<Subspace> load(const std::filesystem::path& folder, const ParameterSet& parameters, const nlohmann::json& index);

 private:
  std::vector<at::Tensor> directions_;
  std::vector<Rows> rows_;
  std::shared_ptr<const void> keep_;
};

/// The rows of group `group`: differences and, when `with_origin`, θ0.
RowSource group_rows(const Trajectory& trajectory, const Group& group, bool with_origin);

inline constexpr const char* index_name = "basis.json";

}  // namespace tsrun::trajectory_svd
