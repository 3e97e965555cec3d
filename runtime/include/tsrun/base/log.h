#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

/// Output of the program: log lines and progress on standard error, results on standard output. Thread-safe.
namespace tsrun {

enum class Verbosity { quiet, normal, debug };
void set_verbosity(Verbosity verbosity);
Verbosity verbosity();

/// Levels of messages; recipe: a recipe's own. In a run each message is shown once, however many stages and processes log it; a recipe's
/// own every time.
void log_message(std::string_view level, const std::string& text);

/// Writes to standard output, above what the display shows. Control characters are escaped where it is a terminal.
/// @throws Error(run) when it cannot be written
void print_result(std::string_view text);
/// A line on standard error, whatever the verbosity; control characters are escaped.
void print_problem(const std::string& text);

template <class... Args>
void log_debug(fmt::format_string<Args...> format, Args&&... args) {
  if (verbosity() == Verbosity::debug) log_message("debug", fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  log_message("info", fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
  log_message("warning", fmt::format(format, std::forward<Args>(args)...));
}

/// Progress of one stage. On a terminal a bar with the time left, redrawn at most ten times a second; otherwise lines. Log lines never tear
/// the bar.
class Progress {
 public:
  Progress(std::string title, int64_t total, std::string unit);
  ~Progress();
  void advance(int64_t by = 1);
  void note(std::string text);       ///< shown at the end of the bar: "acc 0.91"
  void milestone(std::string text);  ///< "epoch 3/12  loss 0.41  acc 0.91"
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tsrun
