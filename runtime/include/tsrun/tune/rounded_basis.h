#pragma once

#include "tsrun/tune/subspace.h"

#include <filesystem>
#include <memory>
#include <string>

namespace tsrun {

/// A linear basis with its directions stored in bfloat16, or in int8 with a scale for every few entries. What is stored is all there is:
/// expand and project stream over the rounded numbers, mapped from their files, and never hold a direction in float32. Columns count as
/// orthonormal only where the rounded ones are, to 1e-5.
class RoundedMaker final : public SubspaceMaker {
 public:
  std::string name() const override { return "rounded"; }
  std::string doc() const override { return "Directions of another basis in bfloat16 or int8."; }
  int version() const override { return 1; }
  /// form (bf16, int8) and block.
  OptionTable options() const override;
  std::unique_ptr<Subspace> load(const std::filesystem::path& folder, const ParameterSet& parameters) const override;
};

/// Rounds a linear basis into `folder`, one direction of each group at a time, and reads it again. `options`: those of the maker, resolved.
/// @throws Error(user) for a map that is not linear
std::unique_ptr<Subspace> round_basis(const Subspace& basis, const Options& options, const std::filesystem::path& folder);

}  // namespace tsrun
