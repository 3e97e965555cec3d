#pragma once

#include "tsrun/tune/step_events.h"

#include <map>
#include <string>

namespace tsrun::adalora {

/// Importance of numbers: means over steps of |w g|, times means of their changes (equations 8 to 10 of the paper).
class Importance {
 public:
  Importance(double beta1, double beta2) : beta1_(beta1), beta2_(beta2) {}
  void see(const std::string& name, const TrainedParameter& parameter);
  bool knows(const std::string& name) const { return all_.contains(name); }
  at::Tensor score(const std::string& name) const { return all_.at(name).mean * all_.at(name).change; }
  void clear() { all_.clear(); }
  void add_to(PluginState& state) const;
  void restore(const PluginState& state);

 private:
  struct Means {
    at::Tensor mean, change;
  };
  double beta1_, beta2_;
  std::map<std::string, Means> all_;
};

}  // namespace tsrun::adalora
