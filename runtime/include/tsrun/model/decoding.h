#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <vector>

namespace tsrun {

/// What a decoder keeps of the tokens that its rows have read, so that the next ones alone are computed: keys and values of every layer,
/// and the encoder's output where there is an encoder. A forward pass with a cache reads the batch's tokens behind those that are held.
/// No gradient goes through it.
class DecodingCache {
 public:
  /// Room for `capacity` tokens in each of `rows` rows.
  DecodingCache(int64_t rows, int64_t capacity) : lengths_(static_cast<size_t>(rows), 0), capacity_(capacity) {}

  int64_t rows() const { return static_cast<int64_t>(lengths_.size()); }
  bool empty() const { return layers_.empty() && !encoded.defined(); }
  const std::vector<int64_t>& lengths() const { return lengths_; }  ///< tokens that each row has read
  /// Goes on with these rows, numbered anew in this order; a row may be taken several times.
  void select(const std::vector<int64_t>& rows);

  /// For the families' forward passes.
  struct Held {
    at::Tensor keys, values;       ///< [rows * room, width]
    std::vector<int64_t> offsets;  ///< where rows begin; rows + 1 entries
    std::vector<int64_t> counts;   ///< keys that each row has
    int64_t prefix = 0;            ///< of them, those in front of the row's own
  };
  /// Puts keys and values, packed by `offsets`, behind those of `layer`, and gives back all. The first ones of a layer may come with a
  /// `prefix` [prefix, width] for the front of every row. @throws Error(internal) beyond the capacity
  Held append(int layer, const at::Tensor& keys, const at::Tensor& values, const std::vector<int64_t>& offsets,
              const at::Tensor& prefix_keys = {}, const at::Tensor& prefix_values = {});
  /// The tokens at `offsets` have been read by every layer.
  void advance(const std::vector<int64_t>& offsets);

  /// An encoder-decoder's encoder output, packed, and what a layer's cross-attention made of it.
  at::Tensor encoded;
  std::vector<int64_t> encoded_offsets;
  std::map<int, std::pair<at::Tensor, at::Tensor>> crossed;

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
