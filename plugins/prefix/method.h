#pragma once

#include "tsrun/tune/delta.h"

namespace tsrun::prefix {

/// Prefix tuning (Li & Liang, ACL 2021): trained keys and values in front of every row's own, in each layer's self-attention.
class Method final : public DeltaMethod {
 public:
  std::string name() const override { return "prefix"; }
  std::string doc() const override { return "Trained keys and values in front of every row's own, in each layer."; }
  int version() const override { return 2; }
  OptionTable options() const override;
  std::unique_ptr<Delta> attach(const Family& family, const Options& options) const override;
  std::optional<PeftType> peft_type() const override;
  nlohmann::json options_from_peft(const nlohmann::ordered_json& config) const override;
  PeftTensor tensor_from_peft(PeftTensor tensor, const Delta& delta, const Family& family) const override;
  PeftFolder to_peft(const Delta& delta, const Options& options, const Model& model) const override;
};

}  // namespace tsrun::prefix
