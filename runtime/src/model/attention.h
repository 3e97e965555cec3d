#pragma once

#include "tsrun/model/kernels.h"

#include <memory>
#include <vector>

namespace tsrun::model {

/// Offsets of rows in packed queries and in packed keys and values; both lists have rows + 1 entries.
struct AttentionRows {
  std::vector<int64_t> query_offsets, key_offsets;
  std::vector<int64_t> key_counts;       ///< keys of each row where its space is larger; empty: rows are full
  std::vector<int64_t> query_positions;  ///< position of each query in its row, for a subset of tokens; empty: all tokens
  int64_t prefix = 0;                    ///< leading keys of every row that every query sees, however causal
  int64_t window = 0;  ///< causal: a query sees itself and the window - 1 keys before it, prefix included; 0: all before it

  int64_t rows() const { return static_cast<int64_t>(key_offsets.size()) - 1; }
  int64_t queries(int64_t row) const { return query_offsets[row + 1] - query_offsets[row]; }
  int64_t keys(int64_t row) const { return key_counts.empty() ? key_offsets[row + 1] - key_offsets[row] : key_counts[row]; }
  int64_t position(int64_t row, int64_t query) const {
    return query_positions.empty() ? query : query_positions[query_offsets[row] + query];
  }
};

/// softmax(scale q kᵀ + bias) v within each row. query: [queries, heads * size]; key, value: [keys, key_heads * size].
at::Tensor attend(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, std::shared_ptr<const AttentionRows> rows,
                  const AttentionOptions& options);

/// The same composed of ATen operations over rows padded to the longest: any device, any type, differentiable twice.
at::Tensor attend_by_composition(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, const AttentionRows& rows,
                                 const AttentionOptions& options);

/// Packed keys (or values) with `prefix` in front of every row.
at::Tensor with_prefix(const at::Tensor& packed, const at::Tensor& prefix, const std::vector<int64_t>& offsets);
std::vector<int64_t> offsets_with_prefix(const std::vector<int64_t>& offsets, int64_t prefix);

}  // namespace tsrun::model
