#pragma once

#include "tsrun/tune/selector.h"

namespace tsrun::layer_schedules {

OptionTable cache_options();

/// Freezes the embeddings and the lowest `frozen` layers; nothing for 0.
Scope scope_above(const Family& family, int frozen, bool cache_prefix);

}  // namespace tsrun::layer_schedules
