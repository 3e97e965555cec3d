#include "tsrun/train/loop.h"

#include "tsrun/base/error.h"
#include "tsrun/base/interrupt.h"

#include <algorithm>
#include <cmath>

namespace tsrun {
namespace {

using Clock = std::chrono::steady_clock;

/// When a checkpoint falls due: every N steps, or so rarely that writing them takes at most a twentieth of the time.
class CheckpointClock {
 public:
  CheckpointClock(int64_t every, Clock::duration least) : every_(every), least_(least), pause_(least) {}
  bool due(int64_t step) const { return every_ > 0 ? step % every_ == 0 : Clock::now() - last_ >= pause_; }
  void wrote(Clock::time_point began) {
    last_ = Clock::now();
    pause_ = std::max(least_, 20 * (last_ - began));
  }

 private:
  int64_t every_;
  Clock::duration least_, pause_;
  Clock::time_point last_ = Clock::now();
};

class Loop {
 public:
  Loop(const LoopSettings& settings, LoopBody& body)
      : settings_(settings), body_(body), checkpoints_(settings.checkpoint_every, settings.pause) {}

  int64_t run() {
    resume();
    body_.begin(step_);
    Progress progress(settings_.title, settings_.steps, "steps");
    progress.advance(step_);
    try {
      train(progress);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::interrupt && (!in_step_ || settings_.steps_are_atomic)) save();
      throw;
    }
    return step_;
  }

 private:
  bool saves() const { return !settings_.work.empty(); }

  void resume() {
    const auto saved = saves() ? newest_run_state(settings_.work, settings_.identity) : std::nullopt;
    if (!saved) return;
    body_.restore(*saved);
    step_ = saved->step;
    log_info("{}: continues at step {} of {}", settings_.title, step_, settings_.steps);
  }

  void train(Progress& progress) {
    for (bool moved = false;; moved = true) {
      body_.evaluate_if_due(step_, progress);
      if (step_ >= settings_.steps || body_.ended()) return;
      if (moved && checkpoints_.due(step_)) save();
      check_interrupt();
      in_step_ = true;
      body_.step(step_, progress);
      in_step_ = false;
      ++step_;
      progress.advance();
    }
  }

  void save() {
    if (!saves()) return;
    const auto began = Clock::now();
    Checkpoint checkpoint;
    checkpoint.step = step_;
    body_.save(checkpoint);
    if (save_run_state(settings_.work, settings_.identity, checkpoint, settings_.keep)) body_.saved();
    checkpoints_.wrote(began);
  }

  const LoopSettings& settings_;
  LoopBody& body_;
  CheckpointClock checkpoints_;
  int64_t step_ = 0;
  bool in_step_ = false;
};

}  // namespace

int64_t run_loop(const LoopSettings& settings, LoopBody& body) { return Loop(settings, body).run(); }

bool BestScore::take(int64_t at, double value) {
  const bool better = step < 0 || value > score || (std::isnan(score) && !std::isnan(value));
  ++later;
  if (better) *this = {at, value, 0};
  return better;
}

}  // namespace tsrun
