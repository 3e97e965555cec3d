#include <atomic>
#include <exception>
#include <mutex>

#include "tsrun/base/display.h"
#include "tsrun/base/log.h"
#include "tsrun/base/printable.h"

namespace tsrun {

struct Progress::State {
  News news;
  std::mutex mutex;
  Display::Clock::time_point sent{};
  int exceptions = std::uncaught_exceptions();

  void tell(News::Kind kind) {
    news.kind = kind;
    sent = Display::Clock::now();
    Display::get().take(0, news);
  }
  /// Not more often than anybody looks.
  void tell_sometimes() {
    if (Display::Clock::now() - sent > std::chrono::milliseconds(50)) tell(News::Kind::at);
  }
};

Progress::Progress(std::string title, int64_t total, std::string unit) : state_(std::make_unique<State>()) {
  static std::atomic<int64_t> count = 0;
  state_->news.id = ++count;
  state_->news.title = printable(title, "");
  state_->news.unit = std::move(unit);
  state_->news.total = total;
  state_->tell(News::Kind::begin);
}

Progress::~Progress() {
  state_->news.failed = std::uncaught_exceptions() > state_->exceptions;
  state_->tell(News::Kind::end);
}

void Progress::advance(int64_t by) {
  const std::lock_guard lock(state_->mutex);
  state_->news.done += by;
  state_->tell_sometimes();
}

void Progress::note(std::string text) {
  const std::lock_guard lock(state_->mutex);
  state_->news.note = std::move(text);
  state_->tell_sometimes();
}

void Progress::milestone(std::string text) {
  const std::lock_guard lock(state_->mutex);
  state_->news.note = std::move(text);
  state_->tell(News::Kind::milestone);
}

}  // namespace tsrun
