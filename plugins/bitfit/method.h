#pragma once

#include "tsrun/tune/delta.h"

namespace tsrun::bitfit {

/// Training of biases alone (Ben Zaken et al., ACL 2022).
class Method final : public DeltaMethod {
 public:
  std::string name() const override { return "bitfit"; }
  std::string doc() const override { return "Trains the biases of layers and norms."; }
  int version() const override { return 1; }
  OptionTable options() const override;
  std::unique_ptr<Delta> attach(const Family& family, const Options& options) const override;
};

}  // namespace tsrun::bitfit
