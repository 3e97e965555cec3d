#pragma once

#include "tsrun/base/log.h"
#include "tsrun/train/run_state.h"

#include <chrono>
#include <limits>

/// The one training loop: steps with checkpoints, resume, interrupts and progress. One thread runs it.
namespace tsrun {

struct LoopSettings {
  std::string title;  ///< of the progress display
  int64_t steps = 0;
  std::filesystem::path work = {};                             ///< of the checkpoints; empty: none is written or read
  nlohmann::json identity = {};                                ///< what decides the training's bytes
  int64_t checkpoint_every = 0;                                ///< steps; 0: by the clock
  std::chrono::milliseconds pause = std::chrono::seconds(20);  ///< by the clock: at least this long, and 20 times as long as writing took
  size_t keep = 2;                                             ///< checkpoints that stay
  /// A step that throws Error(interrupt) has changed nothing, so the state is saved then too. Otherwise an interrupted step is made again
  /// from the newest checkpoint.
  bool steps_are_atomic = false;
};

/// A training as the loop sees it. `save` writes everything that steps and evaluations change; the rest follows from the identity. So a
/// resumed training is equal to an undisturbed one, bit for bit.
class LoopBody {
 public:
  virtual ~LoopBody() = default;
  virtual void save(Checkpoint& checkpoint) const = 0;
  virtual void restore(const Checkpoint& checkpoint) = 0;  ///< its tensors lie in a file: copy what is to change
  virtual void saved() {}                                  ///< a new checkpoint is on disk
  /// Called once, before the first step and behind `restore`.
  virtual void begin(int64_t /*steps_done*/) {}
  virtual void step(int64_t step, Progress& progress) = 0;  ///< `step` from 0
  /// Called before the first step and after each. A training that resumes from an interrupted evaluation makes it again.
  virtual void evaluate_if_due(int64_t /*steps_done*/, Progress& /*progress*/) {}
  virtual bool ended() const { return false; }  ///< before all steps are made
};

/// Goes on from the newest whole checkpoint, or begins, and trains to the end. Returns the steps made in all.
/// @throws Error(user) when the checkpoint is another training's; Error(interrupt) after saving; whatever the body throws.
int64_t run_loop(const LoopSettings& settings, LoopBody& body);

/// The best score so far, of equals the earliest. A NaN gives way to any number.
struct BestScore {
  int64_t step = -1;  ///< -1: there is none
  double score = std::numeric_limits<double>::quiet_NaN();
  int64_t later = 0;                      ///< scores since
  bool take(int64_t step, double score);  ///< whether it is the best so far
};

}  // namespace tsrun
