#include "model/attention.h"
#include "model/dropout_law.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cmath>

namespace tsrun {
namespace {

int64_t longest(const std::vector<int64_t>& offsets) {
  int64_t length = 0;
  for (size_t row = 0; row + 1 < offsets.size(); ++row) length = std::max(length, offsets[row + 1] - offsets[row]);
  return length;
}

/// Between packed vectors and vectors padded to [rows, length]: which packed vector stands at each padded place (0 where none does), and
/// where each packed vector went.
struct Padding {
  Padding(const std::vector<int64_t>& offsets, at::Device device)
      : rows(static_cast<int64_t>(offsets.size()) - 1), length(longest(offsets)) {
    std::vector<int64_t> from(static_cast<size_t>(rows * length), 0), to;
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t i = offsets[row]; i < offsets[row + 1]; ++i) {
        to.push_back(row * length + i - offsets[row]);
        from[to.back()] = i;
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

at::Tensor key_counts(const AttentionRows& rows, at::Device device) {
  std::vector<int64_t> counts;
  for (int64_t row = 0; row < rows.rows(); ++row) counts.push_back(rows.keys(row));
  return at::tensor(counts, at::kLong).to(device).view({rows.rows(), 1, 1, 1});
}

}  // namespace

at::Tensor attend_by_composition(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, const AttentionRows& rows,
                                 const AttentionOptions& options) {
  const at::Device device = query.device();
  const Padding queries(rows.query_offsets, device), keys(rows.key_offsets, device);
  const at::Tensor places = query_places(rows, queries, device), counts = key_counts(rows, device);
  const at::Tensor columns = at::arange(keys.length, places.options());
  const double scale = 1 / std::sqrt(static_cast<double>(query.size(1) / options.heads));
  at::Tensor hidden = columns >= counts;
  if (options.causal) hidden = hidden.logical_or(columns > places + rows.prefix);
  const at::Tensor scores = at::matmul(queries.pad(query, options.heads), keys.pad(key, options.heads).transpose(2, 3)) * scale;
  at::Tensor probabilities = at::softmax(scores.masked_fill(hidden, -std::numeric_limits<double>::infinity()), -1);
  if (const DropoutLaw law = dropout_law(options.dropout, options.key); law.threshold > 0) {
    const at::Tensor units = at::arange(rows.rows() * options.heads, places.options()).view({rows.rows(), options.heads, 1, 1});
    probabilities = probabilities * dropout_factors(law, units, places * counts + columns).to(probabilities.scalar_type());
  }
  return queries.unpad(at::matmul(probabilities, keys.pad(value, options.heads)));
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

}  // namespace tsrun
