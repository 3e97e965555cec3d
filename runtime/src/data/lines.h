#pragma once

#include "data/place_error.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace tsrun::data {

/// @throws Error(data): a CR without its LF, which programs disagree on.
[[noreturn]] inline void lone_carriage_return(const std::string& name, int64_t line) {
  error_at(name, line, "found a carriage return (\\r) that no line feed follows, as in files of old Macs; expected LF or CRLF line ends");
}

/// Calls `take(line, number)` for each line, without its LF or CRLF, from number 1. `name` is the file's, for messages.
template <class Take>
void each_line(std::string_view text, const std::string& name, const Take& take) {
  for (int64_t number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find('\r') != std::string_view::npos) lone_carriage_return(name, number);
    take(line, number);
  }
}

}  // namespace tsrun::data
