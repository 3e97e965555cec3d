#include "base/console.h"

#include "tsrun/base/printable.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace tsrun::base {
namespace {

winsize terminal_size() {
  winsize size{};
  const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0;
  if (!known || size.ws_col <= 20) size.ws_col = 80;
  if (!known || size.ws_row < 3) size.ws_row = 24;
  return size;
}

bool write_all(std::FILE* stream, std::string_view text) {
  return std::fwrite(text.data(), 1, text.size(), stream) == text.size() && std::fflush(stream) == 0;
}

/// Wide as terminals draw it: East Asian letters and most pictures. An approximation that errs towards wide.
bool is_wide(uint32_t point) {
  return (point >= 0x1100 && point <= 0x115F) || (point >= 0x2E80 && point <= 0xA4CF) || (point >= 0xAC00 && point <= 0xD7A3) ||
         (point >= 0xF900 && point <= 0xFAFF) || (point >= 0xFE30 && point <= 0xFE6F) || (point >= 0xFF00 && point <= 0xFF60) ||
         (point >= 0xFFE0 && point <= 0xFFE6) || (point >= 0x1F300 && point <= 0x1FAFF) || (point >= 0x20000 && point <= 0x3FFFD);
}

/// The code point of a well-formed sequence.
uint32_t code_point(std::string_view sequence) {
  const auto first = static_cast<unsigned char>(sequence[0]);
  uint32_t point = sequence.size() == 1 ? first : first & (0x7FU >> sequence.size());
  for (size_t i = 1; i < sequence.size(); ++i) point = point << 6 | (static_cast<unsigned char>(sequence[i]) & 0x3FU);
  return point;
}

}  // namespace

std::string cut_to_columns(const std::string& text, size_t columns) {
  size_t used = 0;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = begin + 1;
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) ++end;
    used += is_wide(code_point(std::string_view(text).substr(begin, end - begin))) ? 2 : 1;
    if (used > columns) return text.substr(0, begin);
    begin = end;
  }
  return text;
}

Console& Console::get() {
  static Console console;
  return console;
}

bool Console::terminal() {
  const char* type = std::getenv("TERM");
  return isatty(STDERR_FILENO) == 1 && (type == nullptr || std::string_view(type) != "dumb");
}

void Console::line(const std::string& text) {
  const std::lock_guard lock(mutex_);
  erase();
  write_all(stderr, printable(text) + "\n");
  draw();
}

bool Console::result(std::string_view text) {
  const std::lock_guard lock(mutex_);
  const bool shown = isatty(STDOUT_FILENO) == 1;
  if (shown) erase();
  const bool written = shown ? write_all(stdout, printable(text)) : write_all(stdout, text);
  if (shown) draw();
  return written;
}

void Console::block(const std::vector<std::string>& lines) {
  const std::lock_guard lock(mutex_);
  if (!terminal()) return;
  erase();
  wanted_ = lines;
  draw();
}

void Console::erase() {
  if (drawn_ == 0) return;
  write_all(stderr, drawn_ == 1 ? "\r\x1b[J" : fmt::format("\r\x1b[{}A\x1b[J", drawn_ - 1));
  drawn_ = 0;
}

/// The cursor stays behind the last line, so that nothing scrolls.
void Console::draw() {
  if (wanted_.empty()) return;
  const winsize size = terminal_size();
  drawn_ = std::min<size_t>(wanted_.size(), size.ws_row - 1U);
  std::string text = "\r\x1b[J";
  for (size_t i = 0; i < drawn_; ++i) text += (i > 0 ? "\n" : "") + cut_to_columns(printable(wanted_[i], ""), size.ws_col - 1U);
  write_all(stderr, text);
}

}  // namespace tsrun::base
