#pragma once

#include "tsrun/tune/delta.h"

namespace tsrun::prefix {

/// The prefix of one stack. A token has for each of its layers a key and a value, one behind the other.
struct Stack {
  std::string name;  ///< beginning of its tensors' names: "", or "encoder." and "decoder." where there are two
  int first_layer = 0, layers = 0;
  int64_t width = 0;  ///< of a key: key heads * head size
  int64_t row() const { return layers * 2 * width; }
};

/// How a token's vector is made: given as it is, or by a two-layer network from a smaller one.
struct Projection {
  int64_t inputs = 0, hidden = 0;  ///< 0: none
  bool used() const { return hidden > 0; }
};

class Prefix final : public Delta {
 public:
  Prefix(std::vector<Stack> stacks, int64_t tokens, Projection projection, double deviation)
      : stacks_(std::move(stacks)), tokens_(tokens), projection_(projection), deviation_(deviation) {}

  std::vector<DeltaTensor> tensors() const override;
  std::vector<DeltaMatch> matches() const override;
  bool starts_as_identity() const override { return false; }
  void install(const Weights& weights, ForwardOptions& forward) const override;
  std::string why_not_merged() const override { return "its keys and values belong to no token, and no weight of the model makes them"; }

 private:
  at::Tensor table(const Stack& stack, const Weights& weights) const;

  std::vector<Stack> stacks_;
  int64_t tokens_;
  Projection projection_;
  double deviation_;
};

}  // namespace tsrun::prefix
