#pragma once

#include "tsrun/tune/selector.h"

namespace tsrun {

/// The masks of a schedule in numbers, for its report: how many there were, the share that the last kept, and the share of entries that
/// each changed of the one before it. A part of the plugin's state.
class MaskRecord {
 public:
  /// A scope that is about to replace `step.chosen`.
  void add(const Step& step, const Scope& scope);
  int64_t masks() const { return masks_; }
  /// {"masks", "kept_share", "changed_share": mean over the changes, "last_changed_share"}
  nlohmann::json report() const;
  void save(PluginState& state) const;
  void restore(const PluginState& state);

 private:
  int64_t masks_ = 0;
  double kept_ = 1, changed_ = 0, last_changed_ = 0;  ///< `changed_`: summed
};

/// A schedule of masks without state of its own but their record.
class RecordedSelector : public Selector {
 public:
  nlohmann::json report() const override { return record_.report(); }
  PluginState state() const override {
    PluginState state;
    record_.save(state);
    return state;
  }
  void restore(const PluginState& state) override { record_.restore(state); }

 protected:
  MaskRecord record_;
};

}  // namespace tsrun
