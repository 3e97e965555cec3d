#pragma once

#include "tsrun/tune/delta.h"

namespace tsrun::adapter {

enum class Activation { relu, gelu, silu, tanh };

/// One bottleneck network.
struct Bottleneck {
  std::string site;    ///< name of the site's kind
  std::string module;  ///< map whose output it is added to
  std::string reads;   ///< map whose input it reads; empty: it reads what it is added to
  int layer = -1;
  int64_t width = 0;

  std::string down() const { return module + ".adapter.down"; }
  std::string up() const { return module + ".adapter.up"; }
};

struct Shape {
  int64_t bottleneck = 0;
  Activation activation = Activation::relu;
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
