#pragma once

#include "tsrun/tune/step_events.h"

#include <vector>

namespace tsrun::tune {

/// Appends a range behind the last; joins the two where they touch under one rate and no decay. Decayed tensors stay apart, for their
/// ends round differently in a vectorised update.
void append(std::vector<Span>& spans, Span span);

}  // namespace tsrun::tune
