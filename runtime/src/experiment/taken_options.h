#pragma once

#include "tsrun/base/options.h"

namespace tsrun::experiment {

/// Of a call's options, those that `known` declares: what the trainer or a method is given of them.
Options taken_options(const OptionTable& known, const Options& call);

/// Options of ts.train that decide how the rows of a probe are read.
OptionTable reading_options();

}  // namespace tsrun::experiment
