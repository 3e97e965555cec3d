#pragma once

#include "tsrun/tune/weight_update.h"

#include <memory>
#include <vector>

/// What the updates that PEFT took over from LyCORIS have in common (Yeh et al., ICLR 2024): ΔW formed of small matrices, with ranks by
/// module, dropout of rows and of whole updates, and the exchange of folders.
namespace tsrun {

class LycorisMethod : public DeltaMethod {
 public:
  /// Whether rows that dropout leaves are scaled up: always, or by an option, rank_dropout_scale.
  enum class Rescaling { always, optional };
  LycorisMethod(UpdateExchange exchange, Rescaling rescaling) : exchange_(std::move(exchange)), rescaling_(rescaling) {}

  OptionTable options() const final;
  std::unique_ptr<Delta> attach(const Family& family, const Options& options) const final;
  std::optional<PeftType> peft_type() const final;
  nlohmann::json options_from_peft(const nlohmann::ordered_json& config) const final;
  PeftFolder to_peft(const Delta& delta, const Options& options, const Model& model) const final;

 private:
  /// Beside rules for modules, ranks and dropout.
  virtual OptionTable own_options() const = 0;
  virtual std::unique_ptr<Delta> update(std::vector<Target> targets, const Family& family, const Options& options) const = 0;

  UpdateExchange exchange_;
  Rescaling rescaling_;
};

/// The dropout that the options of such a method name.
UpdateDropout lycoris_dropout(const Options& options);

}  // namespace tsrun
