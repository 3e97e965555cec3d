#pragma once

#include "tsrun/base/random.h"

#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

/// The kernels under every family; differentiable. CPU paths are ours where LibTorch is slow; elsewhere they are compositions of ATen.
namespace tsrun {

/// What matrix products with weights are made of. Sums within a product are float32 in both, and so is everything between products.
enum class Precision {
  float32,
  bfloat16  ///< operands and results of products rounded to 8 significant bits; pays where the processor multiplies bfloat16 itself
};

/// Zeroes each element with probability `p` and scales the rest by 1/(1-p). The mask is a function of (key, position), so backward draws it
/// again instead of storing it.
at::Tensor dropout(const at::Tensor& x, double p, Key key);

struct AttentionOptions {
  int64_t heads = 1;
  int64_t key_heads = 0;  ///< each serves heads / key_heads query heads in turn (grouped-query attention); 0: as `heads`
  double scale = 0;       ///< of query times key; 0: 1/√size
  double dropout = 0;     ///< of the probabilities, drawn under `key`
  Key key = Key::root(0);
  bool causal = false;
  /// Added to the scores by distance, the key's place minus the query's (T5): [heads, distances], of which the first column is for
  /// `first_distance`. Keys of a prefix have the places -prefix … -1. Undefined: nothing is added.
  at::Tensor distance_bias = {};
  int64_t first_distance = 0;
};

/// Multi-head attention within each packed row. query: [tokens, heads * size]; key, value: [tokens, key_heads * size]. With a prefix,
/// `prefix_key` and `prefix_value` [prefix, key_heads * size] stand before every row's own.
at::Tensor packed_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, const std::vector<int64_t>& offsets,
                            const AttentionOptions& options, const std::optional<at::Tensor>& prefix_key = {},
                            const std::optional<at::Tensor>& prefix_value = {});

}  // namespace tsrun
