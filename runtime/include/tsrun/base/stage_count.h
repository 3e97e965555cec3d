#pragma once

#include "tsrun/base/news.h"

#include <map>
#include <optional>
#include <string>

namespace tsrun {

/// Count of a run's planned and finished stages, and estimate of the time left. Stages found in the store count as finished. One thread
/// only.
class StageCount {
 public:
  void take(const News& stage);  ///< Kind::stage or Kind::planned
  size_t done() const { return done_; }
  /// Nothing before the plan is complete.
  std::optional<size_t> total() const { return whole_ ? std::optional(stages_.size()) : std::nullopt; }
  size_t left() const { return stages_.size() - done_; }

  /// A running stage: its progress (0 … 1) and its seconds so far.
  struct Running {
    double share = 0, seconds = 0;
  };
  /// Seconds of one process for the remaining stages. A kind's speed is that of its finished stages in this run, else of running ones, else
  /// the store's record, else the mean of the other kinds. Nothing before the first measurement.
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
