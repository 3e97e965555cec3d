#include "tsrun/base/error.h"
#include "tsrun/model/decoding.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/tensor.h>

#include <cstring>
#include <numeric>

namespace tsrun {
namespace {

/// Row i of `from` becomes row slots[i] of `to`.
void put(const at::Tensor& from, const std::vector<int64_t>& slots, at::Tensor& to) {
  if (!from.device().is_cpu() || from.scalar_type() != to.scalar_type()) {
    to.index_copy_(0, at::tensor(slots, at::kLong).to(from.device()), from.detach().to(to.scalar_type()));
    return;
  }
  const at::Tensor rows = from.contiguous();
  const size_t bytes = rows.nbytes() / slots.size();
  const auto* source = static_cast<const std::byte*>(rows.const_data_ptr());
  auto* target = static_cast<std::byte*>(to.mutable_data_ptr());
  for (size_t i = 0; i < slots.size(); ++i) std::memcpy(target + static_cast<size_t>(slots[i]) * bytes, source + i * bytes, bytes);
}

}  // namespace

DecodingCache::Layer& DecodingCache::layer_with_room(int number, const at::Tensor& like, const at::Tensor& prefix_keys,
                                                     const at::Tensor& prefix_values) {
  if (const auto found = layers_.find(number); found != layers_.end()) return found->second;
  Layer& layer = layers_[number];
  if (prefix_keys.defined()) layer.prefix = prefix_keys.size(0);
  layer.keys = at::empty({rows(), layer.prefix + capacity_, like.size(1)}, like.options());
  layer.values = at::empty_like(layer.keys);
  if (layer.prefix > 0) {
    layer.keys.narrow(1, 0, layer.prefix).copy_(prefix_keys.detach().unsqueeze(0));
    layer.values.narrow(1, 0, layer.prefix).copy_(prefix_values.detach().unsqueeze(0));
  }
  return layer;
}

DecodingCache::CachedRows DecodingCache::append(int number, const at::Tensor& keys, const at::Tensor& values,
                                                const std::vector<int64_t>& offsets, const at::Tensor& prefix_keys,
                                                const at::Tensor& prefix_values) {
  Layer& layer = layer_with_room(number, keys, prefix_keys, prefix_values);
  const int64_t room = layer.prefix + capacity_, width = keys.size(1);
  CachedRows held;
  held.prefix = layer.prefix;
  std::vector<int64_t> slots;
  for (int64_t row = 0; row < rows(); ++row) {
    const int64_t fresh = offsets[row + 1] - offsets[row], first = layer.prefix + lengths_[row];
    if (first + fresh > room) internal_error("decoding: row {} reads more than the {} tokens that its cache has room for", row, capacity_);
    for (int64_t i = 0; i < fresh; ++i) slots.push_back(row * room + first + i);
    held.offsets.push_back(row * room);
    held.counts.push_back(first + fresh);
  }
  held.offsets.push_back(rows() * room);
  held.keys = layer.keys.view({-1, width});
  held.values = layer.values.view({-1, width});
  put(keys, slots, held.keys);
  put(values, slots, held.values);
  return held;
}

void DecodingCache::advance(const std::vector<int64_t>& offsets) {
  for (int64_t row = 0; row < rows(); ++row) lengths_[row] += offsets[row + 1] - offsets[row];
}

void DecodingCache::select(const std::vector<int64_t>& chosen) {
  std::vector<int64_t> same(lengths_.size());
  std::iota(same.begin(), same.end(), 0);
  if (chosen == same) return;
  for (auto& [number, layer] : layers_) {
    const at::Tensor index = at::tensor(chosen, at::kLong).to(layer.keys.device());
    layer.keys = layer.keys.index_select(0, index);
    layer.values = layer.values.index_select(0, index);
  }
  if (encoded.defined()) select_encoded(chosen);
  for (at::Tensor& own : state) own = own.index_select(0, at::tensor(chosen, at::kLong).to(own.device()));
  std::vector<int64_t> lengths;
  for (const int64_t row : chosen) lengths.push_back(lengths_[row]);
  lengths_ = std::move(lengths);
}

void DecodingCache::select_encoded(const std::vector<int64_t>& chosen) {
  std::vector<int64_t> tokens, offsets = {0};
  for (const int64_t row : chosen) {
    for (int64_t i = encoded_offsets[row]; i < encoded_offsets[row + 1]; ++i) tokens.push_back(i);
    offsets.push_back(static_cast<int64_t>(tokens.size()));
  }
  const at::Tensor index = at::tensor(tokens, at::kLong).to(encoded.device());
  encoded = encoded.index_select(0, index);
  for (auto& [layer, pair] : crossed) pair = {pair.first.index_select(0, index), pair.second.index_select(0, index)};
  encoded_offsets = std::move(offsets);
}

}  // namespace tsrun
