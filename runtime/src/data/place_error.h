#pragma once

#include "tsrun/base/error.h"
#include "tsrun/base/printable.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

/// Errors about a place in a file.
namespace tsrun::data {

/// @throws Error(data) as "`name`:`line`: …", with the control characters of what is quoted escaped.
template <class... Args>
[[noreturn]] void error_at(const std::string& name, int64_t line, fmt::format_string<Args...> format, Args&&... args) {
  data_error("{}:{}: {}", printable(name, ""), line, printable(fmt::format(format, std::forward<Args>(args)...), ""));
}

/// The beginning of a text that a message quotes.
inline std::string clipped(std::string_view text) {
  constexpr size_t kLongest = 120;
  if (text.size() <= kLongest) return std::string(text);
  size_t end = kLongest;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // not within a character
  return std::string(text.substr(0, end)) + "…";
}

}  // namespace tsrun::data
