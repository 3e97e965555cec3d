#pragma once

#include "tsrun/base/log.h"
#include "tsrun/base/news.h"
#include "tsrun/base/stage_count.h"

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace tsrun {

/// Display of the work of all processes of a run. Between `begin_run` and `end_run`: on a terminal a block with the run above and each
/// process's stage below; elsewhere a line for each finished stage, occasional lines for long ones, and every log line once. Outside a run:
/// the innermost bar, or lines. Calls may come from any thread.
class Display {
 public:
  using Clock = std::chrono::steady_clock;
  static Display& get();
  void begin_run(const std::string& name);
  void end_run();
  /// Whether the run's progress is shown.
  bool wants_plan() const;
  /// Redirects news to this descriptor, as lines.
  void send_to(int descriptor) { target_ = descriptor; }
  bool sends() const { return target_ >= 0; }
  /// process: 0 for this one.
  void take(int process, const News& news);
  void forget(int process);  ///< when it has ended
  /// Outside `begin_run` and `end_run` repetitions are shown too.
  void say(std::string_view level, const std::string& text);

  std::atomic<Verbosity> verbosity{Verbosity::normal};

 private:
  struct Bar {
    News news;
    Clock::time_point start = Clock::now(), told = start;  ///< told: time of its last line
    bool told_once = false;
  };
  struct Process {
    std::vector<Bar> bars;  ///< innermost last
    std::string stage, stage_title;
    Clock::time_point stage_start;
  };

  void send(const News& news) const;
  void update(Bar& bar, const News& news);
  void end(Process& process, const News& news);
  void show_end(const Bar& bar, const News& news);
  void give_sign_of_life(Bar& bar);
  void follow_stage(Process& process, const News& news);
  std::string overall() const;
  std::string text_of(const Process& process) const;
  std::map<std::string, StageCount::Running> running() const;
  void redraw(bool at_once);
  bool shown() const { return verbosity != Verbosity::quiet; }

  mutable std::recursive_mutex mutex_;
  std::map<int, Process> processes_;
  StageCount stages_;
  std::set<std::string> said_;
  std::string run_name_;
  bool in_run_ = false;
  int target_ = -1;
  Clock::time_point drawn_{};
};

}  // namespace tsrun
