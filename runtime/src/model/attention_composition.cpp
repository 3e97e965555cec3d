#include "model/attention.h"
#include "model/dropout_factors.h"
#include "tsrun/base/operators.h"

#include <algorithm>
#include <cmath>

namespace tsrun::model {
namespace {

std::vector<int64_t> differences(const std::vector<int64_t>& offsets) {
  std::vector<int64_t> counts;
  for (size_t row = 0; row + 1 < offsets.size(); ++row) counts.push_back(offsets[row + 1] - offsets[row]);
  return counts;
}

/// Between packed vectors and vectors padded to [rows, length]: which packed vector stands at each padded place (0 where none does), and
/// where each packed vector went.
struct Padding {
  Padding(const std::vector<int64_t>& offsets, const std::vector<int64_t>& counts, at::Device device)
      : rows(static_cast<int64_t>(counts.size())), length(*std::max_element(counts.begin(), counts.end())) {
    std::vector<int64_t> from(static_cast<size_t>(rows * length), 0), to;
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t i = 0; i < counts[row]; ++i) {
        to.push_back(row * length + i);
        from[to.back()] = offsets[row] + i;
      }
    }
    gather = at::tensor(from, at::kLong).to(device);
    scatter = at::tensor(to, at::kLong).to(device);
  }
  /// [rows, heads, length, size]
  at::Tensor pad(const at::Tensor& packed, int64_t heads) const {
    return packed.index_select(0, gather).view({rows, length, heads, packed.size(1) / heads}).transpose(1, 2);
  }
  at::Tensor unpad(const at::Tensor& padded) const { return padded.transpose(1, 2).reshape({rows * length, -1}).index_select(0, scatter); }

  int64_t rows, length;
  at::Tensor gather, scatter;
};

/// Places of the padded queries in their rows, [rows, 1, queries, 1]; keys of each row, [rows, 1, 1, 1].
at::Tensor query_places(const AttentionRows& rows, const Padding& padding, at::Device device) {
  std::vector<int64_t> places(static_cast<size_t>(padding.rows * padding.length), 0);
  for (int64_t row = 0; row < padding.rows; ++row) {
    for (int64_t i = 0; i < rows.queries(row); ++i) places[row * padding.length + i] = rows.position(row, i);
  }
  return at::tensor(places, at::kLong).to(device).view({padding.rows, 1, padding.length, 1});
}

std::vector<int64_t> key_counts(const AttentionRows& rows) {
  return rows.key_counts.empty() ? differences(rows.key_offsets) : rows.key_counts;
}

/// The bias of every query and key, [rows, heads, queries, keys].
at::Tensor spread_bias(const AttentionOptions& options, const at::Tensor& distances) {
  const at::Tensor columns = (distances - options.first_distance).clamp(0, options.distance_bias.size(1) - 1);
  const int64_t rows = distances.size(0), queries = distances.size(2), keys = distances.size(3);
  return options.distance_bias.index_select(1, columns.flatten()).view({options.heads, rows, queries, keys}).transpose(0, 1);
}

}  // namespace

at::Tensor attend_by_composition(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, const AttentionRows& rows,
                                 const AttentionOptions& options) {
  const at::Device device = query.device();
  const std::vector<int64_t> host_counts = key_counts(rows);
  const Padding queries(rows.query_offsets, differences(rows.query_offsets), device), keys(rows.key_offsets, host_counts, device);
  const at::Tensor places = query_places(rows, queries, device);
  const at::Tensor counts = at::tensor(host_counts, at::kLong).to(device).view({rows.rows(), 1, 1, 1});
  const at::Tensor columns = at::arange(keys.length, places.options());
  const double scale = options.scale > 0 ? options.scale : 1 / std::sqrt(static_cast<double>(query.size(1) / options.heads));
  const int64_t key_heads = options.key_heads > 0 ? options.key_heads : options.heads;
  const auto spread = [&](const at::Tensor& x) {  // each key head as often as it has query heads
    const at::Tensor padded = keys.pad(x, key_heads);
    return key_heads == options.heads ? padded : padded.repeat_interleave(options.heads / key_heads, 1);
  };
  at::Tensor hidden = columns >= counts;
  if (options.causal) hidden = hidden.logical_or(columns > places + rows.prefix);
  if (options.causal && rows.window > 0) hidden = hidden.logical_or(columns <= places + rows.prefix - rows.window);
  at::Tensor scores = at::matmul(queries.pad(query, options.heads), spread(key).transpose(2, 3)) * scale;
  if (options.distance_bias.defined()) scores = scores + spread_bias(options, columns - rows.prefix - places);
  at::Tensor probabilities = at::softmax(scores.masked_fill(hidden, -std::numeric_limits<double>::infinity()), -1);
  if (const DropoutMask mask = dropout_mask(options.dropout, options.key); mask.threshold > 0) {
    const at::Tensor units = at::arange(rows.rows() * options.heads, places.options()).view({rows.rows(), options.heads, 1, 1});
    probabilities = probabilities * dropout_factors(mask, units, places * counts + columns).to(probabilities.scalar_type());
  }
  return queries.unpad(at::matmul(probabilities, spread(value)));
}

std::vector<int64_t> offsets_with_prefix(const std::vector<int64_t>& offsets, int64_t prefix) {
  std::vector<int64_t> longer = offsets;
  for (size_t row = 0; row < longer.size(); ++row) longer[row] += prefix * static_cast<int64_t>(row);
  return longer;
}

at::Tensor with_prefix(const at::Tensor& packed, const at::Tensor& prefix, const std::vector<int64_t>& offsets) {
  std::vector<int64_t> from;
  for (size_t row = 0; row + 1 < offsets.size(); ++row) {
    for (int64_t i = 0; i < prefix.size(0); ++i) from.push_back(i);
    for (int64_t i = offsets[row]; i < offsets[row + 1]; ++i) from.push_back(prefix.size(0) + i);
  }
  return at::cat({prefix, packed}).index_select(0, at::tensor(from, at::kLong).to(packed.device()));
}

}  // namespace tsrun::model
