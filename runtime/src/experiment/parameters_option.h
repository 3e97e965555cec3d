#pragma once

#include "tsrun/base/options.h"

namespace tsrun::experiment {

/// The option `parameters`, which `parse_selection` reads.
Option parameters_option();

}  // namespace tsrun::experiment
