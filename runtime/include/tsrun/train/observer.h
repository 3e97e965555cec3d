#pragma once

#include "tsrun/tune/binding.h"
#include "tsrun/tune/trajectory.h"

#include <filesystem>
#include <functional>
#include <memory>

namespace tsrun {

/// A step that has just been made.
struct StepDone {
  int64_t step = 0;  ///< steps made in all
  double epoch = 0;  ///< epochs made, with the fraction
  bool ends_epoch = false;
};

/// Watches a training and changes nothing. Calls come in the order registered, with the weights that the next step begins with: masks have
/// been applied, which the events of a step (tune/step_events.h) come before. An observer may write into the training's work folder; what
/// it writes must be durable when the call returns. On resume it discards anything written after `resumed_at_step`. State in memory goes
/// through `state` and `restore`: it is saved with every checkpoint and given back before `begin`.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void begin(const Binding& /*binding*/, int64_t /*steps_per_epoch*/, int64_t /*resumed_at_step*/) {}
  virtual void step_ended(const Binding& /*binding*/, const StepDone& /*done*/) {}
  virtual void finished(const Binding& /*binding*/) {}
  virtual PluginState state() const { return {}; }
  virtual void restore(const PluginState& /*state*/) {}

  /// Puts back the rows of the word embeddings that the trainer left out, because no text of the task has their words.
  void set_whole(std::function<Weights(const Weights&)> whole) { whole_ = std::move(whole); }

 protected:
  Weights whole(const Weights& weights) const { return whole_ ? whole_(weights) : weights; }

 private:
  std::function<Weights(const Weights&)> whole_;
};

/// Records a trajectory of `set` into `folder`: every `every_steps` steps, or every epoch when 0.
std::unique_ptr<Observer> make_trajectory_recorder(std::filesystem::path folder, ParameterSet set, RowType type, int64_t every_steps);
/// Mean of all trained weights over the recorded points (float64 sum), written to `file` when finished.
std::unique_ptr<Observer> make_weight_averager(std::filesystem::path file, int64_t every_steps);

}  // namespace tsrun
