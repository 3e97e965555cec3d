#pragma once

#include <string_view>

namespace tsrun::tune {

/// `*` matches any run of characters.
bool matches(std::string_view pattern, std::string_view text);

}  // namespace tsrun::tune
