#pragma once

#include "model/attention.h"
#include "tsrun/model/family.h"

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

/// Building blocks of the families. Each takes its weights by module name.
namespace tsrun::model {

enum class Activation {
  gelu,
  gelu_clipped,  ///< gelu, cut to [-10, 10]
  gelu_tanh,     ///< the tanh form of gelu
  hardswish,
  laplace,  ///< the cumulative normal distribution of mean 0.707107 and deviation 0.282095
  leaky_relu,
  linear,
  mish,
  quick_gelu,  ///< x sigmoid(1.702 x)
  relu,
  relu6,
  relu_squared,
  sigmoid,
  silu,
  sqrt_softplus,
  tanh
};
/// An activation by its name in transformers: all without parameters, not "prelu" and "xielu".
/// @throws Error(data) naming `field`.
Activation parse_activation(const std::string& name, const std::string& where, const std::string& field = "hidden_act");
at::Tensor activate(Activation activation, const at::Tensor& x);

/// x Wᵀ + b with `module`.weight and `module`.bias.
at::Tensor linear(const Weights& weights, const std::string& module, const at::Tensor& x);

/// Rows of `module`.weight. The row `padding` (-1: none) gets no gradient, as the reference's embeddings do it.
at::Tensor embed(const Weights& weights, const std::string& module, const at::Tensor& ids, int64_t padding = -1);

/// `segments` is 0 where the model has none. @throws Error: ids outside the vocabulary or rows longer than `positions` (user: max_length is
/// an option), inconsistent offsets (internal).
void check_batch(const PackedBatch& batch, int64_t vocabulary, int64_t segments, int64_t positions);

/// @throws Error(internal) unless `offsets` run from 0 to the number of `ids` over rows with at least one token; Error(user) for an id
/// outside the vocabulary.
void check_tokens(const at::Tensor& ids, const std::vector<int64_t>& offsets, int64_t vocabulary);

/// A subset of a batch's tokens, in order, and the offsets of its queries: the tokens that the last layer computes.
struct TokenSubset {
  at::Tensor tokens, host_tokens;
  std::shared_ptr<const AttentionRows> rows;
};
TokenSubset token_subset(const std::vector<int64_t>& offsets, const std::vector<int64_t>& tokens, at::Device device);

}  // namespace tsrun::model
