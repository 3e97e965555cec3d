#pragma once

#include "text/pattern.h"

namespace tsrun {

/// A regular expression that ICU matches. @throws Error(data) "`where`: …" when ICU cannot, or might match something else.
std::unique_ptr<Pattern> expression_pattern(const std::string& expression, const std::string& where);

}  // namespace tsrun
