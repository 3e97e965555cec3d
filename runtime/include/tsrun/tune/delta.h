#pragma once

#include "tsrun/base/options.h"
#include "tsrun/tune/events.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tsrun {

/// A named tensor that a delta method adds to the model, with the law of its first values.
struct DeltaTensor {
  std::string name;  ///< PEFT's name where PEFT has the method: "…query.lora_A.weight"
  std::vector<int64_t> shape;
  enum class Law { zeros, ones, normal, uniform } law = Law::zeros;
  double scale = 0;  ///< standard deviation, or half width
};

/// The plugin kind `delta`: named tensors attached at sites, optionally merged into weights. The flat vector of its tensors is a
/// parameter set like any other, so a subspace may span it.
class Delta {
 public:
  virtual ~Delta() = default;
  virtual std::vector<DeltaTensor> tensors() const = 0;
  /// Weight-side methods: overrides of named weights, connected to autograd through `values`.
  virtual void override_weights(const Weights& /*values*/, const Weights& /*origin*/, Weights& /*weights*/) const {}
  /// Activation- and attention-side methods: install hooks for one forward pass.
  virtual void install(const Weights& /*values*/, ForwardOptions& /*forward*/) const {}
  /// Names of base parameters that are trained as they are (BitFit, LayerNorm tuning).
  virtual std::vector<std::string> trained_parameters() const { return {}; }
  /// θ with the delta folded in; nullopt when the method cannot be merged.
  virtual std::optional<Weights> merge(const Weights& /*values*/, const Weights& /*origin*/) const { return std::nullopt; }
};

class DeltaMethod {
 public:
  virtual ~DeltaMethod() = default;
  virtual std::string name() const = 0;
  virtual std::string doc() const = 0;
  virtual int version() const = 0;
  virtual OptionTable options() const = 0;
  virtual std::unique_ptr<Delta> attach(const Family& family, const Options& options) const = 0;
};

}  // namespace tsrun
