#pragma once

#include "model/dropout_mask.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tsrun::model {

/// Attention of one row and head, over plain float32 memory. Queries and keys of the row are `queries` and `keys` vectors of `size`
/// numbers, `stride` and `key_stride` apart. Element (i, j) of the probabilities has dropout position query_position(i) * keys + j of
/// `unit`.
struct AttentionUnit {
  int64_t queries = 0, keys = 0, size = 0, stride = 0, key_stride = 0;
  const int64_t* query_positions = nullptr;  ///< position of each query in its row; null: 0, 1, 2, …
  int64_t causal_shift = -1;                 ///< causal: a query at position p sees keys [0, p + causal_shift]; -1: all keys
  int64_t window = 0;                        ///< causal: number of last keys seen among these; 0: all
  float scale = 1;
  uint32_t unit = 0;
  DropoutMask dropout;
  const float *query = nullptr, *key = nullptr, *value = nullptr;
  const float* bias = nullptr;  ///< bias[j + bias_shift - p] is added to the score of key j for a query at position p; null: none
  int64_t bias_shift = 0;
};

/// Outputs of backward; each gradient has the stride of its tensor.
struct AttentionGradients {
  float *query = nullptr, *key = nullptr, *value = nullptr;
  float* bias = nullptr;     ///< of the unit alone, accumulated; null: not wanted
  bool add_to_keys = false;  ///< accumulate onto another query head's gradients of key and value
};

/// Scratch memory of one thread; grows to the largest row seen.
class AttentionScratch {
 public:
  float* reserve(int64_t floats) {
    if (static_cast<int64_t>(memory_.size()) < floats) memory_.resize(static_cast<std::size_t>(floats));
    return memory_.data();
  }

 private:
  std::vector<float> memory_;
};

/// out [queries] vectors (same stride); `logs` receives log Σ exp of each query's scores.
void attention_forward(const AttentionUnit& unit, float* out, float* logs, AttentionScratch& scratch);

/// Gradients from that of the output and the `logs` of forward. Every element of query's, key's and value's is written.
void attention_backward(const AttentionUnit& unit, const float* grad_out, const float* logs, const AttentionGradients& grads,
                        AttentionScratch& scratch);

}  // namespace tsrun::model
