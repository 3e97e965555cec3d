#pragma once

#include "tsrun/tune/lycoris.h"

namespace tsrun::loha {

/// LoHa: ΔW = s (A1 B1) ⊙ (A2 B2), the Hadamard product of two low-rank matrices, of rank up to r² (FedPara, Hyeon-Woo et al., ICLR 2022;
/// LyCORIS).
class Method final : public LycorisMethod {
 public:
  Method();
  std::string name() const override { return "loha"; }
  std::string doc() const override { return "Hadamard products of two low-rank updates."; }
  int version() const override { return 1; }

 private:
  OptionTable own_options() const override;
  std::unique_ptr<Delta> update(std::vector<Target> targets, const Family& family, const Options& options) const override;
};

}  // namespace tsrun::loha
