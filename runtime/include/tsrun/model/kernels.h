#pragma once

#include "tsrun/base/random.h"

#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

/// The kernels under every family; differentiable. CPU paths are ours where LibTorch is slow; elsewhere they are compositions of ATen.
namespace tsrun {

/// Zeroes each element with probability `p` and scales the rest by 1/(1-p). The mask is a function of (key, position), so backward draws it
/// again instead of storing it.
at::Tensor dropout(const at::Tensor& x, double p, Key key);

/// Multi-head attention within each packed row. query, key, value: [tokens, heads * size]. Probabilities are dropped out with `p` under
/// `key` when p > 0. With a prefix, `prefix_key` and `prefix_value` [prefix, heads * size] stand before every row's own.
struct AttentionOptions {
  int64_t heads = 1;
  double dropout = 0;
  Key key = Key::root(0);
  bool causal = false;
};
at::Tensor packed_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, const std::vector<int64_t>& offsets,
                            const AttentionOptions& options, const std::optional<at::Tensor>& prefix_key = {},
                            const std::optional<at::Tensor>& prefix_value = {});

}  // namespace tsrun
