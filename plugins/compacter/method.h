#pragma once

#include "tsrun/tune/delta.h"

namespace tsrun::compacter {

/// Compacter (Karimi Mahabadi et al., NeurIPS 2021): bottleneck adapters whose two maps are sums of Kronecker products, W = Σ_i A_i ⊗ B_i,
/// with small A_i that all layers share and B_i of low rank.
class Method final : public DeltaMethod {
 public:
  std::string name() const override { return "compacter"; }
  std::string doc() const override { return "Bottleneck adapters whose weights are sums of Kronecker products with shared factors."; }
  int version() const override { return 1; }
  OptionTable options() const override;
  std::unique_ptr<Delta> attach(const Family& family, const Options& options) const override;
};

}  // namespace tsrun::compacter
