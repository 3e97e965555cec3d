#pragma once

#include "tsrun/tune/subspace.h"

#include <string>
#include <vector>

namespace tsrun::gradient_svd {

/// Leading singular directions of one matrix: M ≈ U diag(s) Vᵀ.
struct Frame {
  std::string tensor;  ///< its name
  at::Tensor u, v;     ///< float32 [rows, r], [columns, r], orthonormal columns
  at::Tensor values;   ///< s, float32 [r]
  double share = 0;    ///< of |M|² in these directions
};
/// At most `rank` of them, by the eigenvectors of the smaller Gram matrix in float64.
Frame leading_frame(const std::string& name, const at::Tensor& matrix, int64_t rank);

/// ΔW = U R Vᵀ for every matrix, with its r² numbers R (row by row) as coordinates; vectors do not move. `step` > 0: the map begins at
/// ΔW = −step · U diag(s) Vᵀ and is affine.
class CoreBasis final : public Subspace {
 public:
  CoreBasis(ParameterSet parameters, std::vector<Frame> frames, double step, nlohmann::json description);
  const ParameterSet& parameters() const override { return parameters_; }
  const std::vector<int64_t>& dims() const override { return dims_; }
  void expand(const at::Tensor& z, at::Tensor out) const override;
  at::Tensor project(const at::Tensor& z, const at::Tensor& g) const override;
  bool linear() const override { return step_ == 0; }
  bool claims_orthonormal() const override { return true; }
  nlohmann::json describe() const override { return description_; }
  void save(const std::filesystem::path& folder) const override;
  int64_t bytes_shipped() const override;  ///< U, V and s
  static std::unique_ptr<Subspace> load(const std::filesystem::path& folder, const ParameterSet& parameters, const nlohmann::json& index);

 private:
  /// A frame's place in the flat vector and among the coordinates.
  struct Place {
    const Slice* slice;
    int64_t coordinate = 0;
  };
  at::Tensor weight_of(const at::Tensor& flat, size_t frame) const;  ///< a view

  ParameterSet parameters_;
  std::vector<Frame> frames_;  ///< in the order of the layout
  double step_;
  nlohmann::json description_;
  std::vector<int64_t> dims_;
  std::vector<Place> places_;
};

inline constexpr const char* index_name = "basis.json";

}  // namespace tsrun::gradient_svd
