#pragma once

#include <string>
#include <string_view>

namespace tsrun {

/// `text` for a terminal: control characters (C0, DEL, C1) and malformed UTF-8 become escapes such as \r, \x1b and \xff, except those in
/// `keep`.
std::string printable(std::string_view text, std::string_view keep = "\n\t");

}  // namespace tsrun
