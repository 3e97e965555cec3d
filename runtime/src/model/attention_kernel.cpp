#include "model/attention_kernel.h"

#include "model/philox.h"
#include "model/small_gemm.h"

#include <cmath>

namespace tsrun::model {
namespace {

using namespace simd;

constexpr int64_t block = 24;               // queries handled together: whole tiles at every width
constexpr float minus_infinity = -3.0e38f;  // finite, so that differences stay numbers

TSRUN_INLINE int64_t place(const AttentionUnit& unit, int64_t query) { return unit.query_positions ? unit.query_positions[query] : query; }

TSRUN_INLINE int64_t visible(const AttentionUnit& unit, int64_t query) {
  if (unit.causal_shift < 0) return unit.keys;
  const int64_t seen = place(unit, query) + unit.causal_shift + 1;
  return seen < unit.keys ? seen : unit.keys;
}

/// The first key that a query sees.
TSRUN_INLINE int64_t first_visible(const AttentionUnit& unit, int64_t query) {
  if (unit.window == 0) return 0;
  const int64_t first = place(unit, query) + unit.causal_shift + 1 - unit.window;
  return first > 0 ? first : 0;
}

/// Forward and backward of one unit with vectors of W doubles. Rows of scores are padded to whole vectors.
template <int W>
struct Attention {
  using Floats = typename Simd<W>::Floats;
  static constexpr int64_t lanes = Simd<W>::lanes;

  /// Sizes of the packed operands of a unit.
  struct Packing {
    TSRUN_INLINE explicit Packing(const AttentionUnit& unit) : keys(Simd<W>::padded(unit.keys)), size(Simd<W>::padded(unit.size)) {}
    TSRUN_INLINE int64_t across() const { return block * keys; }                              // scores of a block
    TSRUN_INLINE int64_t factors() const { return block * (keys + 2 * mask_group) + lanes; }  // dropout factors of a block
    int64_t keys, size;
  };

  /// scores [rows][keys] = scale q kᵀ, minus infinity where a query must not look.
  TSRUN_INLINE static void score_block(const AttentionUnit& unit, const Packing& packing, const float* transposed_keys, int64_t first,
                                       int64_t rows, float* scores) {
    multiply<W>({unit.query + first * unit.stride, unit.stride, 1}, transposed_keys, packing.keys, scores, packing.keys, rows, packing.keys,
                unit.size, false);
    for (int64_t i = 0; i < rows; ++i) {
      float* row = scores + i * packing.keys;
      for (int64_t j = 0; j < packing.keys; j += lanes) store(row + j, load<Floats>(row + j) * unit.scale);
      if (unit.bias) {
        const float* bias = unit.bias + unit.bias_shift - place(unit, first + i);
        for (int64_t j = 0; j < unit.keys; ++j) row[j] += bias[j];
      }
      for (int64_t j = 0; j < first_visible(unit, first + i); ++j) row[j] = minus_infinity;
      for (int64_t j = visible(unit, first + i); j < packing.keys; ++j) row[j] = minus_infinity;
    }
  }

  /// Turns a row of scores into probabilities; returns log Σ exp.
  TSRUN_INLINE static float softmax_row(float* row, int64_t width) {
    Floats most = load<Floats>(row);
    for (int64_t j = lanes; j < width; j += lanes) most = larger(most, load<Floats>(row + j));
    const float top = maximum(most);
    Floats total = {};
    for (int64_t j = 0; j < width; j += lanes) {
      const Floats value = exponential<W>(load<Floats>(row + j) - top);
      total += value;
      store(row + j, value);
    }
    const float mass = sum(total), inverse = 1.0f / mass;
    for (int64_t j = 0; j < width; j += lanes) store(row + j, load<Floats>(row + j) * inverse);
    return top + std::log(mass);
  }

  /// Points `rows` at the dropout factors of each query of a block, with whole vectors behind the last key. Adjacent queries share
  /// generator groups, so those are drawn once.
  TSRUN_INLINE static void block_factors(const AttentionUnit& unit, const Packing& packing, int64_t first, int64_t rows, float* buffer,
                                         const float** out) {
    if (unit.query_positions == nullptr) {
      const float* drawn = draw_factors<W>(unit.dropout, unit.unit, first * unit.keys, (first + rows) * unit.keys + lanes, buffer);
      for (int64_t i = 0; i < rows; ++i) out[i] = drawn + i * unit.keys;
      return;
    }
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t start = place(unit, first + i) * unit.keys;
      out[i] = draw_factors<W>(unit.dropout, unit.unit, start, start + packing.keys, buffer + i * (packing.keys + 2 * mask_group));
    }
  }

  /// One query's gradient of scores, in place of the gradient of its dropped-out probabilities; `row` turns from scores into the
  /// dropped-out probabilities that weigh the values. `bias`, unless null, is added the gradient of the scores after scaling.
  template <bool Dropped>
  TSRUN_INLINE static void softmax_row_backward(float* row, float* grad, int64_t width, int64_t keys, float log_mass, const float* factors,
                                                float scale, float* bias) {
    Floats total = {};
    for (int64_t j = 0; j < width; j += lanes) {
      const Floats share = exponential<W>(load<Floats>(row + j) - log_mass);
      Floats slope = load<Floats>(grad + j);
      if constexpr (Dropped) slope *= load<Floats>(factors + j);
      total += share * slope;
      store(row + j, share);
      store(grad + j, slope);
    }
    const float mean = sum(total);
    if (bias) {
      for (int64_t j = 0; j < keys; ++j) bias[j] += row[j] * (grad[j] - mean);
    }
    for (int64_t j = 0; j < width; j += lanes) {
      const Floats share = load<Floats>(row + j);
      store(grad + j, share * (load<Floats>(grad + j) - mean) * scale);
      if constexpr (Dropped) store(row + j, share * load<Floats>(factors + j));
    }
  }

  /// Multiplies probabilities by their dropout factors.
  TSRUN_INLINE static void drop(const AttentionUnit& unit, const Packing& packing, int64_t first, int64_t rows, float* buffer,
                                float* scores) {
    const float* factors[block];
    block_factors(unit, packing, first, rows, buffer, factors);
    for (int64_t i = 0; i < rows; ++i) {
      float* row = scores + i * packing.keys;
      for (int64_t j = 0; j < packing.keys; j += lanes) store(row + j, load<Floats>(row + j) * load<Floats>(factors[i] + j));
    }
  }

  /// From scores and gradients of probabilities of a block to dropped-out probabilities and gradients of scores.
  TSRUN_INLINE static void softmax_block_backward(const AttentionUnit& unit, const Packing& packing, int64_t first, int64_t rows,
                                                  const float* logs, float* bias, float* buffer, float* scores, float* grads) {
    const float* factors[block] = {};
    if (unit.dropout.threshold > 0) block_factors(unit, packing, first, rows, buffer, factors);
    for (int64_t i = 0; i < rows; ++i) {
      float *row = scores + i * packing.keys, *grad = grads + i * packing.keys;
      float* to_bias = bias ? bias + unit.bias_shift - place(unit, first + i) : nullptr;
      if (factors[i])
        softmax_row_backward<true>(row, grad, packing.keys, unit.keys, logs[first + i], factors[i], unit.scale, to_bias);
      else
        softmax_row_backward<false>(row, grad, packing.keys, unit.keys, logs[first + i], nullptr, unit.scale, to_bias);
    }
  }
};

struct AttentionForward {
  template <int W>
  TSRUN_INLINE static void run(const AttentionUnit& unit, float* out, float* logs, AttentionScratch& scratch) {
    using Kernel = Attention<W>;
    const typename Kernel::Packing packing(unit);
    float* transposed_keys =
        scratch.reserve(unit.size * packing.keys + unit.keys * packing.size + packing.across() + packing.factors() + block * packing.size);
    float* values = transposed_keys + unit.size * packing.keys;
    float* scores = values + unit.keys * packing.size;
    float* buffer = scores + packing.across();
    float* result = buffer + packing.factors();
    pack_columns(unit.key, unit.key_stride, unit.keys, unit.size, transposed_keys, packing.keys);
    pack_rows(unit.value, unit.key_stride, unit.keys, unit.size, values, packing.size);
    for (int64_t first = 0; first < unit.queries; first += block) {
      const int64_t rows = unit.queries - first < block ? unit.queries - first : block;
      Kernel::score_block(unit, packing, transposed_keys, first, rows, scores);
      for (int64_t i = 0; i < rows; ++i) logs[first + i] = Kernel::softmax_row(scores + i * packing.keys, packing.keys);
      if (unit.dropout.threshold > 0) Kernel::drop(unit, packing, first, rows, buffer, scores);
      multiply<W>({scores, packing.keys, 1}, values, packing.size, result, packing.size, rows, packing.size, unit.keys, false);
      put_rows(result, packing.size, rows, unit.size, out + first * unit.stride, unit.stride, false);
    }
  }
};

struct AttentionBackward {
  template <int W>
  TSRUN_INLINE static void run(const AttentionUnit& unit, const float* grad_out, const float* logs, const AttentionGradients& out,
                               AttentionScratch& scratch) {
    using Kernel = Attention<W>;
    const typename Kernel::Packing packing(unit);
    const int64_t across = unit.size * packing.keys, along = unit.keys * packing.size;
    float* transposed_keys = scratch.reserve(2 * across + 3 * along + 2 * packing.across() + packing.factors() + 3 * block * packing.size);
    float* transposed_values = transposed_keys + across;
    float* keys = transposed_values + across;
    float* key_sums = keys + along;
    float* value_sums = key_sums + along;
    float* scores = value_sums + along;
    float* grads = scores + packing.across();
    float* buffer = grads + packing.across();
    float* queries = buffer + packing.factors();
    float* outs = queries + block * packing.size;
    float* result = outs + block * packing.size;
    pack_columns(unit.key, unit.key_stride, unit.keys, unit.size, transposed_keys, packing.keys);
    pack_columns(unit.value, unit.key_stride, unit.keys, unit.size, transposed_values, packing.keys);
    pack_rows(unit.key, unit.key_stride, unit.keys, unit.size, keys, packing.size);
    for (int64_t i = 0; i < 2 * along; ++i) key_sums[i] = 0;
    for (int64_t first = 0; first < unit.queries; first += block) {
      const int64_t rows = unit.queries - first < block ? unit.queries - first : block;
      Kernel::score_block(unit, packing, transposed_keys, first, rows, scores);
      multiply<W>({grad_out + first * unit.stride, unit.stride, 1}, transposed_values, packing.keys, grads, packing.keys, rows,
                  packing.keys, unit.size, false);
      Kernel::softmax_block_backward(unit, packing, first, rows, logs, out.bias, buffer, scores, grads);
      pack_rows(unit.query + first * unit.stride, unit.stride, rows, unit.size, queries, packing.size);
      pack_rows(grad_out + first * unit.stride, unit.stride, rows, unit.size, outs, packing.size);
      multiply<W>({scores, 1, packing.keys}, outs, packing.size, value_sums, packing.size, unit.keys, packing.size, rows, true);
      multiply<W>({grads, 1, packing.keys}, queries, packing.size, key_sums, packing.size, unit.keys, packing.size, rows, true);
      multiply<W>({grads, packing.keys, 1}, keys, packing.size, result, packing.size, rows, packing.size, unit.keys, false);
      put_rows(result, packing.size, rows, unit.size, out.query + first * unit.stride, unit.stride, false);
    }
    put_rows(key_sums, packing.size, unit.keys, unit.size, out.key, unit.key_stride, out.add_to_keys);
    put_rows(value_sums, packing.size, unit.keys, unit.size, out.value, unit.key_stride, out.add_to_keys);
  }
};

}  // namespace

void attention_forward(const AttentionUnit& unit, float* out, float* logs, AttentionScratch& scratch) {
  kernel::run<AttentionForward>(unit, out, logs, scratch);
}

void attention_backward(const AttentionUnit& unit, const float* grad_out, const float* logs, const AttentionGradients& grads,
                        AttentionScratch& scratch) {
  kernel::run<AttentionBackward>(unit, grad_out, logs, grads, scratch);
}

}  // namespace tsrun::model
