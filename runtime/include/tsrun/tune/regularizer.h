#pragma once

#include "tsrun/base/options.h"
#include "tsrun/tune/step_events.h"

#include <memory>
#include <string>

namespace tsrun {

/// A term of the loss, or a change of the update.
class Regularizer : public StepEvents {};

/// The plugin kind `regularizer`.
class RegularizerMethod {
 public:
  virtual ~RegularizerMethod() = default;
  virtual std::string name() const = 0;
  virtual std::string doc() const = 0;  ///< one sentence
  virtual int version() const = 0;      ///< raised whenever the numbers change; part of stage keys
  virtual OptionTable options() const = 0;
  virtual Wants wants(const Options& /*options*/) const { return {}; }
  virtual std::unique_ptr<Regularizer> make(const MethodInputs& inputs, const Options& options) const = 0;
};

}  // namespace tsrun
