#pragma once

#include "tsrun/tune/binding.h"

#include <map>
#include <memory>
#include <string>

namespace tsrun {

/// Updates flat groups in place. State is flat tensors by name, saved and restored whole.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  /// One step with every group's lr multiplied by `factor` (the schedule's value).
  virtual void step(double factor) = 0;
  /// The groups' spans are others now. Moments outside them stay as they are (`keep`), or start at zero when they come back.
  virtual void spans_changed(Moments moments) = 0;
  /// Moments of `entries` (bool, of group `i`'s size) start at zero; where moments are of whole tensors, those with such an entry.
  virtual void forget(size_t i, const at::Tensor& entries) = 0;
  virtual std::map<std::string, at::Tensor> state() const = 0;
  virtual void restore(const std::map<std::string, at::Tensor>& state) = 0;
};

struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
};
struct SgdOptions {
  double momentum = 0;
};
struct AdafactorOptions {
  double clip_threshold = 1;  ///< root mean square of one tensor's update beyond which it is scaled down
  double decay_rate = -0.8;   ///< step k keeps 1 − k^decay_rate of the means of squares
  double eps1 = 1e-30;        ///< added to squared gradients
};
std::unique_ptr<Optimizer> make_adamw(std::vector<ParameterGroup>& groups, const AdamWOptions& options);
std::unique_ptr<Optimizer> make_sgd(std::vector<ParameterGroup>& groups, const SgdOptions& options);
/// Needs the groups' layouts. Internal error when a layout and its group differ in size.
std::unique_ptr<Optimizer> make_adafactor(std::vector<ParameterGroup>& groups, const AdafactorOptions& options);

/// Scales all gradients so that their joint norm is at most `maximum`; returns the norm before. One pass, float64 sum.
double clip_gradients(std::vector<ParameterGroup>& groups, double maximum);

}  // namespace tsrun
