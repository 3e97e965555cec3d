#pragma once

#include "tsrun/tune/selector.h"

#include <functional>
#include <set>

namespace tsrun::layer_schedules {

/// What is trained beside the layers of a period.
struct Switching {
  int64_t every = 1;  ///< steps of a period
  bool embeddings = false, head = true;
  Moments moments = Moments::drop;  ///< of layers that leave and come back
};

OptionTable switching_options(int64_t every, bool embeddings);
Switching switching_of(const Options& options);

/// Trains the layers `layers_of(period)`, period after period. A function of the period alone, so that a resumed training goes on alike.
class Switched final : public Selector {
 public:
  Switched(Switching switching, int layers, std::function<std::set<int>(int64_t period)> layers_of)
      : switching_(switching), layers_of_(std::move(layers_of)), periods_of_(static_cast<size_t>(layers)) {}

  std::optional<Scope> scope(Step& step) override;
  nlohmann::json report() const override { return {{"periods_of_layer", periods_of_}}; }
  PluginState state() const override;
  void restore(const PluginState& state) override;

 private:
  Switching switching_;
  std::function<std::set<int>(int64_t period)> layers_of_;
  std::vector<int64_t> periods_of_;  ///< periods in which each layer was trained
};

}  // namespace tsrun::layer_schedules
