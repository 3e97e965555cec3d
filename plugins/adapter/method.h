#pragma once

#include "tsrun/tune/delta.h"

namespace tsrun::adapter {

/// Bottleneck adapters: y = h + s up(f(down(h))) behind the attention and the feed-forward block (Houlsby et al., ICML 2019), behind the
/// feed-forward block alone (Pfeiffer et al., EACL 2021), or beside it (He et al., ICLR 2022).
class Method final : public DeltaMethod {
 public:
  std::string name() const override { return "adapter"; }
  std::string doc() const override { return "Bottleneck networks behind or beside the blocks of every layer."; }
  int version() const override { return 1; }
  OptionTable options() const override;
  std::unique_ptr<Delta> attach(const Family& family, const Options& options) const override;
};

}  // namespace tsrun::adapter
