#pragma once

#include "tsrun/base/options.h"
#include "tsrun/tune/step_events.h"

#include <map>
#include <string>

namespace tsrun::low_rank_moments {

/// Adam's moments of projected gradients, by parameter. They go on when a projection is renewed, as in the references.
class Moments {
 public:
  explicit Moments(const Options& options)
      : beta1_(options.number("beta1")), beta2_(options.number("beta2")), epsilon_(options.number("epsilon")) {}

  int64_t steps(const std::string& name) const;
  struct Direction {
    at::Tensor value;       ///< m / (√v + ε)
    double correction = 1;  ///< √(1 − β2^t) / (1 − β1^t), which multiplies the learning rate
  };
  Direction take(const std::string& name, const at::Tensor& gradient);

  int64_t bytes() const;
  size_t count() const { return all_.size(); }
  int64_t renewals(int64_t gap) const;  ///< projections made, of all parameters
  void add_to(PluginState& state) const;
  void restore(const PluginState& state);

 private:
  struct Pair {
    at::Tensor first, second;
    int64_t steps = 0;
  };
  double beta1_, beta2_, epsilon_;
  std::map<std::string, Pair> all_;
};

/// Tensors of `state` whose names end in `ending`, by what stands in front.
std::map<std::string, at::Tensor> ending_in(const PluginState& state, const std::string& ending);
int64_t bytes_of(const std::map<std::string, at::Tensor>& tensors);

}  // namespace tsrun::low_rank_moments
