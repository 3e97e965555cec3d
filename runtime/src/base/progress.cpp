#include <algorithm>
#include <exception>

#include "base/console.h"
#include "tsrun/base/log.h"

namespace tsrun {
namespace {

std::string clock_text(double seconds) {
  const auto whole = static_cast<int64_t>(std::max(0.0, seconds) + 0.5);
  if (whole >= 3600) return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

// Cuts to `columns` characters, counting UTF-8 sequences as one.
std::string cut(const std::string& text, size_t columns) {
  size_t count = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) == 0x80) continue;
    if (count++ == columns) return text.substr(0, i);
  }
  return text;
}

}  // namespace

struct Progress::State {
  static constexpr double redraw_interval = 0.1;  // seconds
  static constexpr int64_t cells = 20;
  std::string title, unit, note;
  int64_t total = 0, done = 0;
  bool shown = false;
  Console::Clock::time_point start = Console::Clock::now(), drawn{};
  int exceptions = std::uncaught_exceptions();

  double elapsed() const { return std::chrono::duration<double>(Console::Clock::now() - start).count(); }
  std::string counted() const { return total > 0 ? fmt::format("{}/{} {}", done, total, unit) : fmt::format("{} {}", done, unit); }

  std::string bar() const {
    std::string text = "  " + title;
    if (total > 0) {
      const int64_t full = std::clamp<int64_t>(done, 0, total) * cells / total;
      text += fmt::format(" [{}{}]", std::string(static_cast<size_t>(full), '#'), std::string(static_cast<size_t>(cells - full), '-'));
    }
    text += " " + counted();
    if (!note.empty()) text += "  " + note;
    if (total > 0 && done > 0 && done < total) {
      text += "  eta " + clock_text(elapsed() / static_cast<double>(done) * static_cast<double>(total - done));
    }
    return cut(text, Console::columns() - 1);
  }

  void draw() {
    Console& console = Console::get();
    const std::lock_guard lock(console.mutex);
    const auto now = Console::Clock::now();
    if (!shown || console.bars.empty() || console.bars.back() != this) return;
    if (std::chrono::duration<double>(now - drawn).count() < redraw_interval || !console.terminal()) return;
    drawn = now;
    console.bar(bar());
  }
};

Progress::Progress(std::string title, int64_t total, std::string unit) : state_(std::make_unique<State>()) {
  state_->title = std::move(title);
  state_->unit = std::move(unit);
  state_->total = total;
  Console& console = Console::get();
  const std::lock_guard lock(console.mutex);
  state_->shown = console.verbosity != Verbosity::quiet;
  console.bars.push_back(state_.get());
  if (state_->shown && !console.terminal())
    console.line(total > 0 ? fmt::format("{}: {} {}", state_->title, total, state_->unit) : state_->title);
  state_->draw();
}

Progress::~Progress() {
  Console& console = Console::get();
  const std::lock_guard lock(console.mutex);
  console.bars.erase(std::remove(console.bars.begin(), console.bars.end(), static_cast<const void*>(state_.get())), console.bars.end());
  console.bar("");
  if (!state_->shown) return;
  const bool failed = std::uncaught_exceptions() > state_->exceptions;
  const std::string note = state_->note.empty() ? "" : "  " + state_->note;
  console.line(fmt::format("{}{}: {} {}{}  {}", console.terminal() ? "  " : "", state_->title, failed ? "stopped at" : "done,",
                           state_->counted(), note, clock_text(state_->elapsed())));
}

void Progress::advance(int64_t by) {
  const std::lock_guard lock(Console::get().mutex);
  state_->done += by;
  state_->draw();
}

void Progress::note(std::string text) {
  const std::lock_guard lock(Console::get().mutex);
  state_->note = std::move(text);
  state_->draw();
}

void Progress::milestone(std::string text) {
  Console& console = Console::get();
  const std::lock_guard lock(console.mutex);
  if (!console.terminal() && state_->shown) console.line(fmt::format("{}: {}", state_->title, text));
  state_->note = std::move(text);
  state_->draw();
}

}  // namespace tsrun
