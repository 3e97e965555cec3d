#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace tsrun::base {

/// Standard error and standard output of one terminal, with an optional block of lines at the lower end; other output goes above it.
/// Thread-safe.
class Console {
 public:
  static Console& get();
  void line(const std::string& text);                 ///< standard error, control characters escaped
  bool result(std::string_view text);                 ///< standard output; escaped where it is a terminal. False when it cannot be written
  void block(const std::vector<std::string>& lines);  ///< replaces the block; cut to the terminal's size
  static bool terminal();                             ///< whether standard error is a terminal that can redraw lines

 private:
  void erase();
  void draw();
  std::recursive_mutex mutex_;
  std::vector<std::string> wanted_;
  size_t drawn_ = 0;  ///< lines on the screen
};

/// At most `columns` columns of a text; wide characters take two.
std::string cut_to_columns(const std::string& text, size_t columns);

}  // namespace tsrun::base
