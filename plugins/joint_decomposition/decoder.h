#pragma once

#include "tsrun/linalg/rows.h"
#include "tsrun/tune/subspace.h"

#include <ATen/core/Tensor.h>

namespace tsrun::joint_decomposition {

/// One member's way out of the shared space: θ = θ0 + U I (no bias, so I = 0 is θ0 exactly), or θ = θ0 + U tanh(V I).
class Decoder final : public Subspace {
 public:
  /// `columns` is float32 [d, N], U's columns end to end; `hidden` is V, float32 [d, d], or undefined. Either may be a memory map.
  /// `facts` go into the description; where `regenerated`, a key draws the same columns and nothing has to be shipped.
  Decoder(ParameterSet parameters, at::Tensor columns, at::Tensor hidden, nlohmann::json facts, bool regenerated);
  const ParameterSet& parameters() const override { return parameters_; }
  const std::vector<int64_t>& dims() const override { return dims_; }
  void expand(const at::Tensor& z, at::Tensor out) const override;
  at::Tensor project(const at::Tensor& z, const at::Tensor& g) const override;
  bool linear() const override { return !hidden_.defined(); }
  bool claims_orthonormal() const override { return false; }
  nlohmann::json describe() const override;
  void save(const std::filesystem::path& folder) const override;
  int64_t bytes_shipped() const override;
  const at::Tensor& columns() const { return columns_; }
  /// @throws Error(data) when the folder is damaged or holds the decoder of another parameter set.
  static std::unique_ptr<Subspace> load(const std::filesystem::path& folder, const ParameterSet& parameters);

 private:
  std::vector<double> activations(const at::Tensor& z) const;  ///< what U is multiplied by
  ParameterSet parameters_;
  std::vector<int64_t> dims_;
  at::Tensor columns_, hidden_;
  Rows rows_;
  nlohmann::json facts_;
  bool regenerated_;
};

}  // namespace tsrun::joint_decomposition
