#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace tsrun {

/// Standard error and standard output of one terminal. A block of lines may stand at the lower end; whatever is written goes above it.
/// Every call may come from any thread.
class Console {
 public:
  static Console& get();
  void line(const std::string& text);                 ///< standard error, control characters escaped
  bool result(std::string_view text);                 ///< standard output; escaped where it is a terminal. False when it cannot be written
  void block(const std::vector<std::string>& lines);  ///< draws these in the place of what stands there; cut to the terminal's size
  static bool terminal();                             ///< whether standard error is one on which lines can be drawn again

 private:
  void erase();
  void draw();
  std::recursive_mutex mutex_;
  std::vector<std::string> wanted_;
  size_t drawn_ = 0;  ///< lines on the screen
};

/// At most `columns` columns of a text; wide characters take two.
std::string cut_to_columns(const std::string& text, size_t columns);

}  // namespace tsrun
