#include "tsrun/base/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>

#include "base/console.h"

namespace tsrun {

Console::Console() : logger_(std::make_shared<spdlog::logger>("tsrun", std::make_shared<spdlog::sinks::stderr_sink_mt>())) {
  logger_->set_pattern("%v");
  logger_->flush_on(spdlog::level::info);
}

bool Console::terminal() { return isatty(STDERR_FILENO) == 1; }

Console& Console::get() {
  static Console console;
  return console;
}

size_t Console::columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

void Console::line(const std::string& text) {
  const std::lock_guard lock(mutex);
  const std::string covered = drawn_;
  bar("");
  logger_->info(text);
  if (!covered.empty()) bar(covered);
}

void Console::bar(const std::string& text) {
  if (!terminal()) return;
  const std::lock_guard lock(mutex);
  if (text.empty() && drawn_.empty()) return;
  std::fputs(("\r\x1b[K" + text).c_str(), stderr);
  std::fflush(stderr);
  drawn_ = text;
}

void set_verbosity(Verbosity verbosity) { Console::get().verbosity = verbosity; }
Verbosity verbosity() { return Console::get().verbosity; }

void log_message(std::string_view level, const std::string& text) {
  const Verbosity now = verbosity();
  if (level != "warning" && now == Verbosity::quiet) return;
  if (level == "debug" && now != Verbosity::debug) return;
  Console::get().line(level == "info" ? text : fmt::format("{}: {}", level, text));
}

}  // namespace tsrun
