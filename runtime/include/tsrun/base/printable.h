#pragma once

#include <string>
#include <string_view>

namespace tsrun {

/// `text` as it may reach a terminal: control characters (C0, DEL, C1) and malformed UTF-8 become escapes such as \r, \x1b and \xff.
/// Those in `keep` stay as they are.
std::string printable(std::string_view text, std::string_view keep = "\n\t");

}  // namespace tsrun
