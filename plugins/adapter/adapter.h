#pragma once

#include "tsrun/tune/bottleneck.h"

namespace tsrun::adapter {

struct Shape {
  int64_t bottleneck = 0;
  BottleneckActivation activation = BottleneckActivation::relu;
  bool biases = true;
  double scale = 1;
  bool identity = true;  ///< the second map starts at zero
  double deviation = 0;  ///< of the other first weights
};

class Adapter final : public Delta {
 public:
  Adapter(std::vector<Bottleneck> places, Shape shape) : places_(std::move(places)), shape_(shape) {}

  std::vector<DeltaTensor> tensors() const override;
  std::vector<DeltaMatch> matches() const override;
  bool starts_as_identity() const override { return shape_.identity; }
  void install(const Weights& weights, ForwardOptions& forward) const override;
  std::string why_not_merged() const override {
    return "a nonlinearity stands between its two maps, and no weight of the model can express that";
  }

 private:
  std::vector<Bottleneck> places_;
  Shape shape_;
};

}  // namespace tsrun::adapter
