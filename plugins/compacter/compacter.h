#pragma once

#include "tsrun/tune/bottleneck.h"

namespace tsrun::compacter {

struct Shape {
  int64_t terms = 0;       ///< n: Kronecker products in a sum, and the size of each A_i
  int64_t bottleneck = 0;  ///< width between the maps; 0: width / reduction
  double reduction = 0;
  int64_t rank = 0;  ///< of every B_i; 0: B_i is a tensor of its own
  bool shared = true;
  bool biases = true;
  bool identity = true;  ///< the second map starts at zero
  double deviation = 0;  ///< of the first A_i
  BottleneckActivation activation = BottleneckActivation::gelu;
};

/// One of the two maps of a place, W = Σ_i A_i ⊗ B_i of shape [outputs, inputs].
struct KroneckerMap {
  std::string name;  ///< "….compacter.down"
  std::string rule;  ///< tensor that holds its A, [n, n, n]
  int layer = -1;
  int64_t outputs = 0, inputs = 0;
};

class Compacter final : public Delta {
 public:
  /// @throws Error(user) when n divides not both widths of every map.
  Compacter(std::vector<Bottleneck> places, Shape shape);

  std::vector<DeltaTensor> tensors() const override;
  std::vector<DeltaMatch> matches() const override;
  bool starts_as_identity() const override { return shape_.identity; }
  void install(const Weights& weights, ForwardOptions& forward) const override;
  std::string why_not_merged() const override {
    return "a nonlinearity stands between its two maps, and no weight of the model can express that";
  }

 private:
  KroneckerMap down(const Bottleneck& place) const;
  KroneckerMap up(const Bottleneck& place) const;
  int64_t bottleneck_of(const Bottleneck& place) const;
  /// B [n, outputs / n, inputs / n], or its two factors.
  void add_factors(const KroneckerMap& map, bool zero, std::vector<DeltaTensor>& tensors) const;
  void add_map(const KroneckerMap& map, bool zero, std::vector<DeltaTensor>& tensors) const;
  int64_t numbers_of(const KroneckerMap& map) const;
  at::Tensor weight(const KroneckerMap& map, const Weights& weights) const;

  std::vector<Bottleneck> places_;
  Shape shape_;
};

}  // namespace tsrun::compacter
