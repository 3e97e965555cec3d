#pragma once

#include <cstdint>
#include <string_view>

namespace tsrun {

/// Calls `take(line, number)` for each line, without its LF or CRLF, from number 1.
template <class Take>
void each_line(std::string_view text, const Take& take) {
  for (int64_t number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    take(line, number);
  }
}

}  // namespace tsrun
