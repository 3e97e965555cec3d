#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>

/// Kind of an error; its number is the exit code, by which scripts tell whose fault a failure was.
namespace tsrun {

enum class ErrorKind {
  user = 2,         ///< command line, recipe, option names and values
  data = 3,         ///< a named file or folder is missing or malformed; a plugin that cannot be loaded
  run = 4,          ///< non-finite loss, disk full, out of memory
  internal = 70,    ///< a broken invariant: always a bug of tsrun or of a plugin
  interrupt = 130,  ///< SIGINT or SIGTERM
};

/// The one exception type of the runtime. Messages name the place, what was found, what was expected, and the near miss.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const noexcept { return kind_; }
  int exit_code() const noexcept { return static_cast<int>(kind_); }

 private:
  ErrorKind kind_;
};

template <class... Args>
[[noreturn]] void user_error(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(ErrorKind::user, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
[[noreturn]] void data_error(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(ErrorKind::data, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
[[noreturn]] void run_error(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(ErrorKind::run, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
[[noreturn]] void internal_error(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(ErrorKind::internal, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace tsrun
