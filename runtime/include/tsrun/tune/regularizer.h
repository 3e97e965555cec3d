#pragma once

#include "tsrun/base/options.h"
#include "tsrun/tune/events.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace tsrun {

/// What a loss term may look at. `forward_again` runs the same batch under another dropout key (R-Drop) or with other weights (R3F).
struct LossContext {
  StepContext* step = nullptr;
  const PackedBatch* batch = nullptr;
  const Output* output = nullptr;
  const std::vector<at::Tensor>* hidden_states = nullptr;  ///< only when `wants_hidden_states`
  std::function<Output(const Weights&, Key dropout)> forward_again;
};

/// The plugin kind `regularizer`: a loss term, or a change of the update.
class Regularizer {
 public:
  virtual ~Regularizer() = default;
  virtual bool wants_hidden_states() const { return false; }
  virtual void weights_about_to_be_used(StepContext& /*context*/) {}
  /// A scalar to be added to the loss; undefined: none.
  virtual at::Tensor loss(LossContext& /*context*/) { return {}; }
  virtual void update_about_to_be_applied(StepContext& /*context*/, at::Tensor /*flat_gradient*/) {}
  virtual PluginState state() const { return {}; }
  virtual void restore(const PluginState& /*state*/) {}
};

class RegularizerMethod {
 public:
  virtual ~RegularizerMethod() = default;
  virtual std::string name() const = 0;
  virtual std::string doc() const = 0;
  virtual int version() const = 0;
  virtual OptionTable options() const = 0;
  virtual std::unique_ptr<Regularizer> make(const Options& options) const = 0;
};

}  // namespace tsrun
