#pragma once

#include "tsrun/base/news.h"

#include <map>
#include <optional>
#include <string>

namespace tsrun {

/// The stages of a run: those that are planned, those that are done, and how long the rest will take. Stages found in the store count as
/// done.
class StageCount {
 public:
  void take(const News& stage);  ///< Kind::stage or Kind::planned
  size_t done() const { return done_; }
  /// Nothing before the plan is whole.
  std::optional<size_t> total() const { return whole_ ? std::optional(stages_.size()) : std::nullopt; }
  size_t left() const { return stages_.size() - done_; }

  /// A stage in work: how much of it is done (0 … 1), and the seconds that this took.
  struct Running {
    double share = 0, seconds = 0;
  };
  /// Seconds of one process in the stages that are left. A kind's speed is that of its stages so far: in this run, else in those that run
  /// now, else as the store noted it. A kind that was not met yet takes the mean of the others. Nothing before anything was measured.
  std::optional<double> seconds_left(const std::map<std::string, Running>& running) const;

 private:
  struct Stage {
    std::string kind;
    double work = 1;
    bool done = false;
  };
  struct Speed {
    double seconds = 0, work = 0, stages = 0;
  };
  using Speeds = std::map<std::string, Speed>;  ///< by kind
  Speeds speeds_of(const std::map<std::string, Running>& running) const;
  std::optional<double> seconds_of(const Stage& stage, const Speeds& running) const;

  std::map<std::string, Stage> stages_;
  Speeds here_, stored_;
  size_t done_ = 0;
  bool whole_ = false;
};

}  // namespace tsrun
