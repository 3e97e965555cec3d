#pragma once

#include "tsrun/tune/weight_update.h"

namespace tsrun::miss {

/// MiSS, the successor of Bone (Kang and Yin, 2024, arXiv 2409.15371): columns of W whose numbers agree modulo r get the same trained
/// vector.
class Method final : public DeltaMethod {
 public:
  std::string name() const override { return "miss"; }
  std::string doc() const override { return "Shards of linear layers' weights that share one small trained block."; }
  int version() const override { return 1; }
  OptionTable options() const override;
  std::unique_ptr<Delta> attach(const Family& family, const Options& options) const override;
  std::optional<PeftType> peft_type() const override;
  nlohmann::json options_from_peft(const nlohmann::ordered_json& config) const override;
  PeftFolder to_peft(const Delta& delta, const Options& options, const Model& model) const override;
};

}  // namespace tsrun::miss
