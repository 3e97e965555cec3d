#pragma once

#include "tsrun/base/error.h"

#include <cstdint>

namespace tsrun {

/// A training whose loss, gradient or scores are not finite any more. A search among several trainings lets it lose; anywhere else it is an
/// error as all others of its kind.
class Diverged : public Error {
 public:
  /// `reason`: "loss not finite in step 13"; `steps`: those that were made.
  Diverged(const std::string& message, std::string reason, int64_t steps)
      : Error(ErrorKind::run, message), reason_(std::move(reason)), steps_(steps) {}
  const std::string& reason() const noexcept { return reason_; }
  int64_t steps() const noexcept { return steps_; }

 private:
  std::string reason_;
  int64_t steps_ = 0;
};

}  // namespace tsrun
