#pragma once

#include "tsrun/tune/lycoris.h"

namespace tsrun::lokr {

/// LoKr: ΔW = s W1 ⊗ W2, a Kronecker product whose second factor (and, on demand, first) is of low rank (LyCORIS, Yeh et al., ICLR 2024).
class Method final : public LycorisMethod {
 public:
  Method();
  std::string name() const override { return "lokr"; }
  std::string doc() const override { return "Kronecker products of small and low-rank matrices."; }
  int version() const override { return 1; }

 private:
  OptionTable own_options() const override;
  std::unique_ptr<Delta> update(std::vector<Target> targets, const Family& family, const Options& options) const override;
};

}  // namespace tsrun::lokr
