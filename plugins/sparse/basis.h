#pragma once

#include "tsrun/tune/subspace.h"

#include <string>
#include <vector>

namespace tsrun::sparse {

/// Columns of ±1/√(entries), each parameter in each column with probability `density`, at least one a column. 4 bytes of memory an entry.
/// Column k of a group is drawn from key.split(group name).split(k) alone, so a smaller dimension has the first columns of a larger one.
class Basis final : public Subspace {
 public:
  /// `density` 0: 1/√D of each group. @throws Error(user) for more coordinates than a group has parameters
  Basis(ParameterSet parameters, int64_t dim, double density, Key key);
  const ParameterSet& parameters() const override { return parameters_; }
  const std::vector<int64_t>& dims() const override { return dims_; }
  void expand(const at::Tensor& z, at::Tensor out) const override;
  at::Tensor project(const at::Tensor& z, const at::Tensor& g) const override;
  bool claims_orthonormal() const override { return false; }
  nlohmann::json describe() const override;
  void save(const std::filesystem::path& folder) const override;
  int64_t bytes_shipped() const override { return 0; }
  const std::string& digest() const { return digest_; }

 private:
  /// Entries of a column in ascending order: position · 2 + 1 for a negative one.
  using Column = std::vector<uint32_t>;
  static Column drawn(Key key, int64_t size, double density);
  void expand_range(size_t g, std::span<const float> z, int64_t begin, int64_t end, float* out) const;

  ParameterSet parameters_;
  int64_t dim_;
  double density_;
  Key key_;
  std::vector<int64_t> dims_, offsets_;
  std::vector<std::vector<Column>> columns_;  ///< of every group
  std::string digest_;
};

}  // namespace tsrun::sparse
