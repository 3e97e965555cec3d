#pragma once

#include "tsrun/base/options.h"
#include "tsrun/linalg/layout.h"
#include "tsrun/tune/events.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tsrun {

/// What is trained now. An absent mask means every element of the layout.
struct Scope {
  std::vector<std::string> frozen;  ///< parameter names without gradient
  int frozen_prefix = 0;            ///< layers from the bottom that are not back-propagated at all
  at::Tensor mask;                  ///< bool over the flat layout; gradients outside it are zeroed
};

/// The plugin kind `selector`: chooses a scope once, or on a schedule.
class Selector {
 public:
  virtual ~Selector() = default;
  /// Before the first step.
  virtual Scope begin(const StepContext& context, const Layout& layout) = 0;
  virtual void weights_about_to_be_used(StepContext& /*context*/) {}
  virtual void gradients_ready(StepContext& /*context*/, at::Tensor /*flat_gradient*/) {}
  /// A new scope, or nothing changed.
  virtual std::optional<Scope> epoch_ended(StepContext& /*context*/) { return std::nullopt; }
  virtual PluginState state() const { return {}; }
  virtual void restore(const PluginState& /*state*/) {}
};

class SelectorMethod {
 public:
  virtual ~SelectorMethod() = default;
  virtual std::string name() const = 0;
  virtual std::string doc() const = 0;
  virtual int version() const = 0;
  virtual OptionTable options() const = 0;
  virtual std::unique_ptr<Selector> make(const Options& options) const = 0;
};

}  // namespace tsrun
