#pragma once

#include "tsrun/tune/delta.h"

#include <functional>

namespace tsrun {

/// A delta without tensors of its own: it trains the model's parameters that `chosen` says. Merging is nothing but taking them.
std::unique_ptr<Delta> parameter_subset(const Family& family, const std::string& what,
                                        const std::function<bool(const ParameterInfo&)>& chosen);

}  // namespace tsrun
