#pragma once

#include "tsrun/base/random.h"

#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

/// The kernels under every family; differentiable. CPU paths are ours where LibTorch is slow; elsewhere they are compositions of ATen.
namespace tsrun {

/// Type of the operands of matrix products with weights. Sums within products, and all else, are float32.
enum class Precision {
  float32,
  bfloat16  ///< operands and results rounded to 8 significant bits; pays where the processor multiplies bfloat16 natively
};

/// Zeroes each element with probability `p` and scales the rest by 1/(1-p). The mask is a function of (key, position): backward draws it
/// again.
at::Tensor dropout(const at::Tensor& x, double p, Key key);

struct AttentionOptions {
  int64_t heads = 1;
  int64_t key_heads = 0;  ///< of grouped-query attention: each serves heads / key_heads query heads; 0: as `heads`
  double scale = 0;       ///< factor of query · key; 0: 1/√size
  double dropout = 0;     ///< of the probabilities, drawn under `key`
  Key key = Key::root(0);
  bool causal = false;
  /// Bias of the scores by distance, key position minus query position (T5): [heads, distances]; the first column is for `first_distance`.
  /// Keys of a prefix have positions -prefix … -1. Undefined: no bias.
  at::Tensor distance_bias = {};
  int64_t first_distance = 0;
};

/// Multi-head attention within each packed row. query: [tokens, heads * size]; key, value: [tokens, key_heads * size]. With a prefix,
/// `prefix_key` and `prefix_value` [prefix, key_heads * size] stand before every row's own.
at::Tensor packed_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, const std::vector<int64_t>& offsets,
                            const AttentionOptions& options, const std::optional<at::Tensor>& prefix_key = {},
                            const std::optional<at::Tensor>& prefix_value = {});

}  // namespace tsrun
