#pragma once

#include "model/dropout_mask.h"

#include <cstdint>

namespace tsrun::model {

/// Rows [begin, end) of y = LayerNorm(residual + dropout(x)), all [rows, width] float32.
struct AddNorm {
  int64_t width = 0;
  DropoutMask dropout;
  const int64_t* places = nullptr;  ///< row of each vector in the dropout mask; null: 0, 1, 2, …
  const float* gain = nullptr;
  float epsilon = 0;
};

/// `normal` receives (h - mean) / deviation, `inverse` 1 / deviation, per row; `factors` is scratch of width + 256 floats.
void add_norm_forward(const AddNorm& op, const float* x, const float* residual, const float* bias, float* y, float* normal, float* inverse,
                      int64_t begin, int64_t end, float* factors);

/// `grad_residual` and `grad_x` are written (one memory may serve both when nothing is dropped); gain's and bias's gradients are added to.
void add_norm_backward(const AddNorm& op, const float* grad, const float* normal, const float* inverse, float* grad_x, float* grad_residual,
                       float* grad_gain, float* grad_bias, int64_t begin, int64_t end, float* factors);

/// Rows [begin, end) of y = x gain / √(mean x² + epsilon); `inverse` receives the divisor's inverse per row.
void rms_norm_forward(const float* x, const float* gain, float epsilon, int64_t width, float* y, float* inverse, int64_t begin,
                      int64_t end);
/// The gain's gradient is added to.
void rms_norm_backward(const float* grad, const float* x, const float* gain, const float* inverse, int64_t width, float* grad_x,
                       float* grad_gain, int64_t begin, int64_t end);

}  // namespace tsrun::model
