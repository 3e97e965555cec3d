#include "tsrun/base/display.h"

#include "base/bar_text.h"
#include "base/console.h"

#include <unistd.h>

#include <algorithm>

namespace tsrun {
namespace {

using Seconds = std::chrono::duration<double>;
constexpr Seconds kRedraw(0.1), kFirstSign(10), kLaterSigns(60);

double since(Display::Clock::time_point start) { return Seconds(Display::Clock::now() - start).count(); }

}  // namespace

Display& Display::get() {
  static Display display;
  return display;
}

void Display::begin_run(const std::string& name) {
  const std::lock_guard lock(mutex_);
  run_name_ = name;
  in_run_ = true;
  stages_ = {};
  said_.clear();
}

void Display::end_run() {
  const std::lock_guard lock(mutex_);
  in_run_ = false;
  processes_.clear();
  base::Console::get().block({});
}

bool Display::wants_plan() const { return in_run_ && shown() && base::Console::terminal(); }

void Display::send(const News& news) const {
  const std::string line = to_line(news);
  [[maybe_unused]] const auto written = ::write(target_, line.data(), line.size());  // nobody there any more: then we end soon
}

void Display::take(int process, const News& news) {
  const std::lock_guard lock(mutex_);
  if (process == 0 && sends()) return send(news);
  if (news.kind == News::Kind::log) return say(news.level, news.note);
  if (news.kind == News::Kind::stage || news.kind == News::Kind::planned) {
    stages_.take(news);
    follow_stage(processes_[process], news);
    return redraw(/*at_once=*/false);
  }
  Process& at = processes_[process];
  if (news.kind == News::Kind::end) return end(at, news);
  if (news.kind == News::Kind::begin) at.bars.push_back({news});
  const auto bar = std::find_if(at.bars.begin(), at.bars.end(), [&](const Bar& other) { return other.news.id == news.id; });
  if (bar == at.bars.end()) return;
  update(*bar, news);
  redraw(/*at_once=*/news.kind == News::Kind::begin && !in_run_);
}

void Display::forget(int process) {
  const std::lock_guard lock(mutex_);
  processes_.erase(process);
  redraw(/*at_once=*/false);
}

void Display::say(std::string_view level, const std::string& text) {
  const std::lock_guard lock(mutex_);
  if (level != "warning" && !shown()) return;
  if (level == "debug" && verbosity != Verbosity::debug) return;
  if (in_run_ && level != "recipe" && !said_.insert(fmt::format("{} {}", level, text)).second) return;
  base::Console::get().line(level == "info" || level == "recipe" ? text : fmt::format("{}: {}", level, text));
}

void Display::follow_stage(Process& process, const News& news) {
  if (news.kind == News::Kind::planned || news.outcome == "planned" || news.outcome == "in the store") return;
  if (news.outcome == "running") {
    process.stage = news.key;
    process.stage_title = news.title;
    process.stage_start = Clock::now();
  } else if (process.stage == news.key) {
    process.stage.clear();
    process.stage_title.clear();
  }
}

void Display::update(Bar& bar, const News& news) {
  bar.news.done = news.done;
  bar.news.note = news.note;
  if (!shown() || base::Console::terminal()) return;
  if (in_run_) return give_sign_of_life(bar);
  if (news.kind == News::Kind::begin)
    base::Console::get().line(news.total > 0 ? fmt::format("{}: {} {}", news.title, news.total, news.unit) : news.title);
  if (news.kind == News::Kind::milestone) base::Console::get().line(fmt::format("{}: {}", news.title, news.note));
}

void Display::give_sign_of_life(Bar& bar) {
  if (since(bar.told) < (bar.told_once ? kLaterSigns : kFirstSign).count()) return;
  bar.told = Clock::now();
  bar.told_once = true;
  base::Console::get().line(fmt::format("{}: {}{}", bar.news.title, base::counted(bar.news), base::noted(bar.news)));
}

void Display::end(Process& process, const News& news) {
  const auto bar = std::find_if(process.bars.begin(), process.bars.end(), [&](const Bar& other) { return other.news.id == news.id; });
  if (bar == process.bars.end()) return;
  const Bar ended = *bar;
  process.bars.erase(bar);
  show_end(ended, news);
  redraw(/*at_once=*/!in_run_);
}

void Display::show_end(const Bar& bar, const News& news) {
  const bool terminal = base::Console::terminal();
  if (!shown() || (in_run_ && terminal && !news.failed)) return;
  if (terminal && !in_run_) base::Console::get().block({});
  base::Console::get().line(fmt::format("{}{}: {} {}{}  {}", terminal ? "  " : "", bar.news.title, news.failed ? "stopped at" : "done,",
                                        base::counted(news), base::noted(news), base::clock_text(since(bar.start))));
}

/// How far the stage of each process is, as its outermost bar says.
std::map<std::string, StageCount::Running> Display::running() const {
  std::map<std::string, StageCount::Running> all;
  for (const auto& [number, process] : processes_) {
    if (process.stage.empty()) continue;
    const News* bar = process.bars.empty() ? nullptr : &process.bars.front().news;
    const double share = bar != nullptr && bar->total > 0 ? static_cast<double>(bar->done) / static_cast<double>(bar->total) : 0;
    all[process.stage] = {std::clamp(share, 0.0, 1.0), since(process.stage_start)};
  }
  return all;
}

std::string Display::overall() const {
  const auto total = stages_.total();
  if (!total) return fmt::format("{}  {} {} done", run_name_, stages_.done(), stages_.done() == 1 ? "stage" : "stages");
  std::string text = fmt::format("{} {} {}/{} stages", run_name_,
                                 base::bar_of(static_cast<int64_t>(stages_.done()), static_cast<int64_t>(*total)), stages_.done(), *total);
  const auto now = running();
  const auto seconds = stages_.seconds_left(now);
  const size_t at_once = std::max<size_t>(1, std::min(now.size(), stages_.left()));
  if (seconds && stages_.left() > 0) text += "  eta " + base::clock_text(*seconds / static_cast<double>(at_once));
  return text;
}

std::string Display::text_of(const Process& process) const {
  if (!process.bars.empty()) return "  " + base::bar_text(process.bars.back().news, since(process.bars.back().start));
  return process.stage_title.empty() ? "" : "  " + process.stage_title;
}

void Display::redraw(bool at_once) {
  if (!shown() || !base::Console::terminal() || (!at_once && Clock::now() - drawn_ < kRedraw)) return;
  drawn_ = Clock::now();
  std::vector<std::string> lines;
  if (in_run_) lines.push_back(overall());
  for (const auto& [number, process] : processes_)
    if (auto text = text_of(process); !text.empty()) lines.push_back(std::move(text));
  base::Console::get().block(lines);
}

}  // namespace tsrun
