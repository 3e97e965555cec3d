#pragma once

#include "tsrun/base/options.h"
#include "tsrun/tune/step_events.h"

#include <map>
#include <string>
#include <vector>

namespace tsrun::losia {

/// Running importance of the entries of some parameters. With s = w · g of a step and I the term that `taylor` names (mix: |s - s²/2|,
/// first: |s|, second: s²), averages Ī ← β1 Ī + (1 - β1) I and Ū ← β2 Ū + (1 - β2) |I - Ī| from zero; the importance is Ī · Ū.
class Importance {
 public:
  explicit Importance(const Options& options);
  /// `parameter` of a step behind backward.
  void add(const std::string& name, const TrainedParameter& parameter);
  bool has(const std::string& name) const { return averages_.contains(name); }
  at::Tensor of(const std::string& name) const { return averages_.at(name) * uncertainties_.at(name); }
  void forget(const std::string& name);
  void save(PluginState& state) const;
  void restore(const PluginState& state, const Weights& weights);  ///< onto the devices of `weights`

 private:
  std::string taylor_;
  double beta1_, beta2_;
  std::map<std::string, at::Tensor> averages_, uncertainties_;
};

/// Time slots of `period` steps: in each the layers of one (asynchronous), or in every first of as many as there are layers all of them
/// (synchronous), are watched, and localised anew behind its last step.
class Slots {
 public:
  Slots(int64_t period, int64_t layers, bool asynchronous) : period_(period), layers_(layers), asynchronous_(asynchronous) {}
  bool watches(int64_t step, int64_t layer) const;
  /// Whether `layer` is localised anew before `step`.
  bool relocalises(int64_t step, int64_t layer) const { return step > 0 && step % period_ == 0 && watches(step - 1, layer); }

 private:
  int64_t period_, layers_;
  bool asynchronous_;
};

}  // namespace tsrun::losia
