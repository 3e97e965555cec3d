#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tsrun {

/// An event in one process of a run, for the display. Worker processes send it as lines of JSON.
struct News {
  enum class Kind { begin, at, milestone, end, log, stage, planned };
  Kind kind = Kind::log;
  int64_t id = 0;                 ///< of a Progress, in its process
  std::string title, unit, note;  ///< note: of a bar; of a log line its text
  int64_t total = 0, done = 0;    ///< total 0: unknown
  bool failed = false;
  double seconds = 0;               ///< that a Progress or a stage took
  std::string level;                ///< of a log line
  std::string key, stage, outcome;  ///< stage: its kind; outcome: planned, in the store, running, computed, read, diverged
  double work = 1;                  ///< a stage's share, in units that only stages of one kind share
};

/// At most 4096 bytes with the line end, which a pipe takes whole or not at all.
std::string to_line(News news);
/// Parses a line; nothing when it is not news.
std::optional<News> news_from(std::string_view line);

}  // namespace tsrun
