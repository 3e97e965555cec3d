#pragma once

#include "text/pattern.h"

namespace tsrun::text {

/// A regular expression for ICU. @throws Error(data) "`where`: …" for one that ICU rejects or might match differently.
std::unique_ptr<Pattern> expression_pattern(const std::string& expression, const std::string& where);

}  // namespace tsrun::text
