#pragma once

#include "tsrun/base/options.h"

namespace tsrun::training {

/// Options of the optimisers for few unknowns, part of `train_options()`.
OptionTable few_unknowns_options();

}  // namespace tsrun::training
