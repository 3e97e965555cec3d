#pragma once

#include <optional>
#include <string_view>

namespace tsrun {

/// Offset of the first byte outside well-formed UTF-8 (Unicode 15, table 3-7); nothing for well-formed text.
std::optional<size_t> find_invalid_utf8(std::string_view text);

}  // namespace tsrun
