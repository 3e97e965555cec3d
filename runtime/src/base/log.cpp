#include "tsrun/base/log.h"

#include "base/console.h"
#include "tsrun/base/display.h"
#include "tsrun/base/error.h"

namespace tsrun {

void set_verbosity(Verbosity verbosity) { Display::get().verbosity = verbosity; }
Verbosity verbosity() { return Display::get().verbosity; }

void log_message(std::string_view level, const std::string& text) {
  News news;
  news.kind = News::Kind::log;
  news.level = level;
  news.note = text;
  Display::get().take(0, news);
}

void print_result(std::string_view text) {
  if (!base::Console::get().result(text)) run_error("standard output cannot be written");
}

void print_problem(const std::string& text) { base::Console::get().line(text); }

}  // namespace tsrun
