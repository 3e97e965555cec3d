#pragma once

#include "tsrun/linalg/rows.h"
#include "tsrun/tune/subspace.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace tsrun {

/// What a `StoredBasis` is made of.
struct StoredDirections {
  std::vector<at::Tensor> groups;  ///< float32 [dims[g], size of group g], one direction a row; no rows for a group without coordinates
  at::Tensor shift = {};           ///< float32 [total]: θ = θ0 + shift + V z; undefined: zero
  bool orthonormal = true;
  /// `describe()`. The lists "singular_values" and the numbers "update_length" under its "groups", where they are, are the facts.
  nlohmann::json description;
  std::shared_ptr<const void> keep = nullptr;  ///< owner of mapped memory
};

/// V itself, one row per direction, in the folder's directions.safetensors and basis.json. With a shift the map is affine: `linear()` is
/// false, and z = 0 is θ0 + shift.
class StoredBasis final : public Subspace {
 public:
  StoredBasis(ParameterSet parameters, StoredDirections directions);
  const ParameterSet& parameters() const override { return parameters_; }
  const std::vector<int64_t>& dims() const override { return dims_; }
  void expand(const at::Tensor& z, at::Tensor out) const override { compose(out, z, out); }
  void compose(const at::Tensor& origin, const at::Tensor& z, at::Tensor out) const override;
  at::Tensor project(const at::Tensor& z, const at::Tensor& g) const override;
  bool linear() const override { return !own_.shift.defined(); }
  bool claims_orthonormal() const override { return own_.orthonormal; }
  SubspaceFacts facts() const override { return facts_of(own_.description); }
  nlohmann::json describe() const override { return own_.description; }
  void save(const std::filesystem::path& folder) const override;
  int64_t bytes_shipped() const override;  ///< directions and shift
  /// @throws Error(data)
  static std::unique_ptr<Subspace> load(const std::filesystem::path& folder, const ParameterSet& parameters);
  static SubspaceFacts facts_of(const nlohmann::json& description);

 private:
  ParameterSet parameters_;
  StoredDirections own_;
  std::vector<int64_t> dims_, offsets_;
  std::vector<Rows> rows_;
};

/// Directions that `form` writes, row by row, and that are orthonormal but for rounding: float32 [count, size]. They are orthonormalised
/// where float64 was not enough (`repair_orthonormality`).
at::Tensor orthonormal_directions(int64_t count, int64_t size, const std::function<void(std::span<float* const> out)>& form);
/// Those that are matrix · rows: float32 [matrix.rows, columns].
at::Tensor orthonormal_combinations(const SmallMatrix& matrix, const Rows& rows);

/// The part of a flat float32 vector of `parameters` that belongs to group `g`. Internal error for another tensor.
std::span<float> floats_of_group(at::Tensor flat, const ParameterSet& parameters, size_t g);
std::span<const float> read_floats_of_group(const at::Tensor& flat, const ParameterSet& parameters, size_t g);
/// The coordinates of group `g`, by `coordinate_offsets`. Internal error for a tensor of another length.
std::span<const float> coordinates_of_group(const at::Tensor& z, const std::vector<int64_t>& offsets, size_t g);

}  // namespace tsrun
