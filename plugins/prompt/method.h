#pragma once

#include "tsrun/tune/delta.h"

namespace tsrun::prompt {

/// Prompt tuning (Lester et al., EMNLP 2021): trained vectors in front of the word embeddings of every row.
class Method final : public DeltaMethod {
 public:
  std::string name() const override { return "prompt"; }
  std::string doc() const override { return "Trained vectors in front of every row's word embeddings."; }
  int version() const override { return 1; }
  OptionTable options() const override;
  std::unique_ptr<Delta> attach(const Family& family, const Options& options) const override;
  std::optional<PeftType> peft_type() const override;
  nlohmann::json options_from_peft(const nlohmann::ordered_json& config) const override;
  PeftTensor tensor_from_peft(PeftTensor tensor, const Delta& delta, const Family& family) const override;
  PeftFolder to_peft(const Delta& delta, const Options& options, const Model& model) const override;
};

}  // namespace tsrun::prompt
