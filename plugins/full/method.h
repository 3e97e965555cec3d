#pragma once

#include "tsrun/tune/delta.h"

namespace tsrun::full {

/// Training of the model's own parameters, all or some of them: what every delta method is compared with, as one of them.
class Method final : public DeltaMethod {
 public:
  std::string name() const override { return "full"; }
  std::string doc() const override { return "Trains the model's own parameters: all of them, some parts, or those of some names."; }
  int version() const override { return 1; }
  OptionTable options() const override;
  std::unique_ptr<Delta> attach(const Family& family, const Options& options) const override;
};

}  // namespace tsrun::full
