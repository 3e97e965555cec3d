#pragma once

#include "tsrun/tune/delta.h"

namespace tsrun::prefix {

/// Prefix tuning (Li & Liang, ACL 2021): trained keys and values in front of every row's own, in each layer's self-attention.
class Method final : public DeltaMethod {
 public:
  std::string name() const override { return "prefix"; }
  std::string doc() const override { return "Trained keys and values in front of every row's own, layer by layer."; }
  int version() const override { return 2; }
  OptionTable options() const override;
  std::unique_ptr<Delta> attach(const Family& family, const Options& options) const override;
  nlohmann::json to_peft(const Options& options) const override;
  nlohmann::json from_peft(const nlohmann::json& config) const override;
};

}  // namespace tsrun::prefix
