#pragma once

#include "tsrun/tune/delta.h"

namespace tsrun::prefix {

/// The prefix of one stack. A token has for each of its layers a key and a value, one behind the other.
struct Stack {
  std::string name;  ///< beginning of its tensors' names: "", or "encoder." and "decoder." where there are two
  int first_layer = 0, layers = 0;
  int64_t width = 0;  ///< of a key: key heads * head size
  int64_t heads = 0;  ///< key heads
  int64_t row() const { return layers * 2 * width; }
};

/// How a token's vector is made: given as it is, or by a two-layer network from a smaller one.
struct Projection {
  int64_t inputs = 0, hidden = 0;  ///< 0: none
  bool biases = true;
  bool used() const { return hidden > 0; }
};

/// How a table [tokens, layers * 2 * width] is read.
enum class PrefixLayout {
  li_liang,  ///< row j holds, for each layer, the key and the value of token j
  release    ///< the whole table's memory is [layers][key, value][heads][tokens][head size]: a layer has rows of its own
};

class Prefix final : public Delta {
 public:
  Prefix(std::vector<Stack> stacks, int64_t tokens, Projection projection, PrefixLayout layout, double deviation)
      : stacks_(std::move(stacks)), tokens_(tokens), projection_(projection), layout_(layout), deviation_(deviation) {}

  std::vector<DeltaTensor> tensors() const override;
  std::vector<DeltaMatch> matches() const override;
  bool starts_as_identity() const override { return false; }
  void install(const Weights& weights, ForwardOptions& forward) const override;
  std::string why_not_merged() const override { return "its keys and values belong to no token, and no weight of the model makes them"; }

 private:
  at::Tensor table(const Stack& stack, const Weights& weights) const;
  /// Key (0) or value (1) of a stack's layer out of its table, [tokens, width].
  at::Tensor part_of(const at::Tensor& table, const Stack& stack, int64_t layer, int64_t which) const;

  std::vector<Stack> stacks_;
  int64_t tokens_;
  Projection projection_;
  PrefixLayout layout_;
  double deviation_;
};

}  // namespace tsrun::prefix
