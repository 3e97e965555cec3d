#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <vector>

namespace tsrun {

/// Key/value cache: keys and values of every layer, and the encoder's output of an encoder-decoder; or the state of a recurrent model. A
/// forward pass with a cache appends the batch's tokens to the cached ones. No gradient goes through it. Not for use by several threads.
class DecodingCache {
 public:
  /// Room for `capacity` tokens in each of `rows` rows.
  DecodingCache(int64_t rows, int64_t capacity) : lengths_(static_cast<size_t>(rows), 0), capacity_(capacity) {}

  int64_t rows() const { return static_cast<int64_t>(lengths_.size()); }
  bool empty() const { return layers_.empty() && !encoded.defined() && state.empty(); }
  const std::vector<int64_t>& lengths() const { return lengths_; }  ///< cached tokens of each row
  /// Keeps these rows, renumbered in this order; a row may occur several times.
  void select(const std::vector<int64_t>& rows);

  /// For the families' forward passes.
  struct CachedRows {
    at::Tensor keys, values;       ///< [rows * room, width]
    std::vector<int64_t> offsets;  ///< beginnings of rows; rows + 1 entries
    std::vector<int64_t> counts;   ///< keys of each row
    int64_t prefix = 0;            ///< keys of a prefix among them
  };
  /// Appends keys and values, packed by `offsets`, to those of `layer`; returns all of them. The first call for a layer may add a prefix
  /// [prefix, width] in front of every row. @throws Error(internal) beyond the capacity
  CachedRows append(int layer, const at::Tensor& keys, const at::Tensor& values, const std::vector<int64_t>& offsets,
                    const at::Tensor& prefix_keys = {}, const at::Tensor& prefix_values = {});
  /// Counts the tokens at `offsets` as cached, once every layer has appended them.
  void advance(const std::vector<int64_t>& offsets);

  /// An encoder-decoder's encoder output, packed, and each layer's cross-attention keys and values of it.
  at::Tensor encoded;
  std::vector<int64_t> encoded_offsets;
  std::map<int, std::pair<at::Tensor, at::Tensor>> crossed;

  /// A recurrent model's state behind the cached tokens, [rows, width] each (`ForwardOptions::state`).
  std::vector<at::Tensor> state;

 private:
  struct Layer {
    at::Tensor keys, values;  ///< [rows, prefix + capacity, width]
    int64_t prefix = 0;
  };
  Layer& layer_with_room(int number, const at::Tensor& like, const at::Tensor& prefix_keys, const at::Tensor& prefix_values);
  void select_encoded(const std::vector<int64_t>& rows);

  std::vector<int64_t> lengths_;
  int64_t capacity_;
  std::map<int, Layer> layers_;
};

}  // namespace tsrun
