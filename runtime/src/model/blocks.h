#pragma once

#include "tsrun/model/family.h"

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

/// Building blocks that families share. Each takes the weights it needs by module name.
namespace tsrun {

enum class Activation { gelu, gelu_tanh, relu };
/// hidden_act of a config.json: "gelu" (exact), "gelu_new" and "gelu_pytorch_tanh" (tanh form), "relu".
Activation parse_activation(const std::string& name, const std::string& where);
at::Tensor activate(Activation activation, const at::Tensor& x);

/// x Wᵀ + b with `module`.weight and `module`.bias.
at::Tensor linear(const Weights& weights, const std::string& module, const at::Tensor& x);

/// Rows of `module`.weight.
at::Tensor embed(const Weights& weights, const std::string& module, const at::Tensor& ids);

/// @throws Error: ids outside the vocabulary or rows longer than `positions` (user: max_length is an option), inconsistent offsets
/// (internal).
void check_batch(const PackedBatch& batch, int64_t vocabulary, int64_t segments, int64_t positions);

/// The tokens that the head reads, ascending: first tokens of rows for a pooled head, tokens with a target for masked LM.
/// nullopt: all of them.
std::optional<std::vector<int64_t>> tokens_read(HeadKind head, const PackedBatch& batch);

}  // namespace tsrun
