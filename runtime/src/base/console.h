#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tsrun/base/log.h"

namespace spdlog {
class logger;
}

namespace tsrun {

/// Standard error, shared by log lines and progress bars. Bars nest; the innermost is the one on the screen.
class Console {
 public:
  using Clock = std::chrono::steady_clock;
  /// One line below which the bar is drawn again.
  void line(const std::string& text);
  /// Draws `text` as the bar; "" erases it. Nothing unless standard error is a terminal.
  void bar(const std::string& text);
  static bool terminal();
  static size_t columns();
  static Console& get();

  std::recursive_mutex mutex;     ///< held by Progress around its own state too
  std::vector<const void*> bars;  ///< open bars, innermost last
  std::atomic<Verbosity> verbosity{Verbosity::normal};

 private:
  Console();
  std::shared_ptr<spdlog::logger> logger_;
  std::string drawn_;
};

}  // namespace tsrun
