#pragma once

#include "tsrun/base/options.h"
#include "tsrun/tune/step_events.h"

#include <memory>
#include <optional>
#include <string>

namespace tsrun {

/// Chooses on a schedule, inside a training.
class Selector : public StepEvents {
 public:
  /// Asked before every step. A new scope replaces the last one whole; nullopt leaves it. After a resume the scope in force is given back
  /// by the trainer and is not asked for again. A training whose selectors give no scope to its end stands, with a warning; one under
  /// scopes that restrict nothing is an error.
  virtual std::optional<Scope> scope(Step& /*step*/) { return std::nullopt; }
  /// The same behind the backward pass of every step, whose gradients `step.blocks` hold: the whole ones, also of entries that masks in
  /// force leave out. The new scope decides this step's update already.
  virtual std::optional<Scope> scope_after_backward(Step& /*step*/) { return std::nullopt; }
};

/// A scope, and the numbers it was chosen by.
struct Choice {
  Scope scope;
  nlohmann::json table = nlohmann::json::object();
};

/// The plugin kind `selector`: chooses once (`ts.select`), on a schedule (`ts.schedule`), or both.
class SelectorMethod {
 public:
  virtual ~SelectorMethod() = default;
  virtual std::string name() const = 0;
  virtual std::string doc() const = 0;  ///< one sentence
  virtual int version() const = 0;      ///< raised whenever the numbers change; part of stage keys
  virtual OptionTable options() const = 0;
  virtual Wants wants(const Options& /*options*/) const { return {}; }
  /// One choice before any training; nullopt: the method has none, and runs on a schedule only.
  virtual std::optional<Choice> choose(const MethodInputs& inputs, const Options& options) const;
  /// For a training; by default what `choose` says, from the first step to the last. Null: the method only chooses before a training.
  virtual std::unique_ptr<Selector> make(const MethodInputs& inputs, const Options& options) const;
};

}  // namespace tsrun
