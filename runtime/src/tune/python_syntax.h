#pragma once

#include <string>

namespace tsrun::tune {

/// An expression of Python's `re` in ICU's syntax. @throws Error(user) "`where`: …" naming a construct that Python refuses or ICU lacks.
std::string python_in_icu(const std::string& expression, const std::string& where);

}  // namespace tsrun::tune
